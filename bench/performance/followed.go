package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/bench/process"
)

// measureCelebrities measures pages of users who follow many celebrities beside those
// of users who follow as many others as the median user.
func measureCelebrities(ctx context.Context, s *stage, r *result) (err error) {
	c := newCelebrities(s.size)
	f := newField(1)
	readers := map[string][]int{"plain": c.plain, "mixed": c.mixed, "wide": c.wide}
	names := map[string]string{
		"plain": "6 others", "mixed": "21 celebrities and 500 others", "wide": fmt.Sprintf("%s celebrities", count(float64(s.size.celebrities))),
	}
	for _, store := range s.stores {
		at, err := s.site(ctx, c.world, store)
		if err != nil {
			return err
		}
		srv, err := s.serve(ctx, at, process.Patience)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, srv.Stop()) }()
		for _, kind := range []string{"plain", "mixed", "wide"} {
			if err := c.checkPages(ctx, srv.URL, readers[kind][:2]); err != nil {
				return err
			}
			l, err := pages(srv.URL, readers[kind], c.token, f.clients)
			if err != nil {
				return err
			}
			f.add(kind, store, s.loadOn(names[kind]+", "+store, srv, l))
		}
	}
	if err := s.inTurns(ctx, f.all); err != nil {
		return err
	}
	for _, store := range s.stores {
		plain := f.of("plain", store, p50)
		r.atMost("page of one who follows "+names["mixed"]+" ÷ of one who follows "+names["plain"]+" (p50)", store, f.of("mixed", store, p50).over(plain), ratio, 2)
		if store == onMongo {
			r.atMost("page of one who follows "+names["wide"]+", p50", store, f.of("wide", store, p50), duration, float64(15*time.Millisecond))
		}
	}
	f.tabulate(r, "Pages of users by whom they follow, one client")
	return nil
}
