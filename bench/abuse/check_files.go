package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// filesArePrivate serves a folder that was there before, as systemd makes it.
func filesArePrivate(ctx context.Context, t *trial) error {
	place := t.place()
	folder := place[1]
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	return withUmask(0o022, func() error {
		err := t.serve(ctx, place, func(s *server) error {
			if _, err := s.register(ctx, "ada"); err != nil {
				return err
			}
			if !strings.Contains(s.Log.String(), "level=WARN") {
				return errors.Join(errors.New("there is no warning about the folder"), modes(folder))
			}
			return modes(folder)
		})
		return errors.Join(err, modes(folder))
	})
}

// filesAreMended makes the files of a store readable, and serves it again.
func filesAreMended(ctx context.Context, t *trial) error {
	place := t.place()
	register := func(name string) func(*server) error {
		return func(s *server) error { _, err := s.register(ctx, name); return err }
	}
	if err := t.serve(ctx, place, register("ada")); err != nil {
		return err
	}
	err := eachFile(place[1], func(path string, _ fs.FileMode) error { return os.Chmod(path, 0o644) })
	if err != nil {
		return err
	}
	return t.serve(ctx, place, func(s *server) error {
		return errors.Join(register("bob")(s), modes(place[1]))
	})
}

func exportsArePrivate(ctx context.Context, t *trial) error {
	place := t.place()
	return withUmask(0o022, func() error {
		err := t.serve(ctx, place, func(s *server) error { _, err := s.register(ctx, "ada"); return err })
		if err != nil {
			return err
		}
		file := filepath.Join(t.dir, "export.jsonl")
		if _, log, err := t.command(ctx, append([]string{"export", file, "--with-credentials"}, place...)...); err != nil {
			return fmt.Errorf("%w: %s", err, log)
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return private(file, info.Mode())
	})
}

// withUmask runs do, and what it starts, with a umask.
func withUmask(mask int, do func() error) error {
	old := syscall.Umask(mask)
	defer syscall.Umask(old)
	return do()
}

// modes returns an error that names the files that others can read.
func modes(folder string) error { return eachFile(folder, private) }

func private(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s has mode %04o", filepath.Base(path), mode.Perm())
}

// eachFile calls do with each file in a folder, and joins the errors.
func eachFile(folder string, do func(path string, mode fs.FileMode) error) error {
	var errs error
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err == nil {
			errs = errors.Join(errs, do(path, info.Mode()))
		}
		return err
	})
	return errors.Join(err, errs)
}
