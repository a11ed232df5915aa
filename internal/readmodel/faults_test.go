package readmodel_test

import (
	"context"
	"slices"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
)

// fault is a way to break a store, with the checks that must fail on it.
type fault struct {
	name  string
	found []string
	make  func(m *readmodeltest.Memory) *broken
}

// random is the name of the check with random batches, which must find what
// the others find in batches and windows.
const random = "random batches do what the contract says"

// deliveryFaults are faults in what batches put into timelines and marks.
func deliveryFaults() []fault {
	return []fault{
		{"ghosts after a cleanup", []string{"cleanup takes what is in its range", random},
			tampering(func(b *readmodel.Batch) { b.Cleanups = nil })},
		{"a hole in a backfill", []string{"backfill puts what is in its range", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: ranges(func(r *readmodel.Range) { r.After++ })}
			}},
		{"a backfill without its end", []string{"backfill puts what is in its range", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: ranges(func(r *readmodel.Range) { r.Through-- })}
			}},
		{"pulled chirps in timelines", []string{"timelines hold what was pushed", random},
			tampering(func(b *readmodel.Batch) {
				for _, c := range b.Chirps {
					if c.Delivery == readmodel.Pull {
						b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: c.Position, Author: c.Author, Range: readmodel.Range{Through: 1 << 60}})
					}
				}
			})},
		{"a fan-out to all followers", []string{"fan-out reaches the followers in its range"},
			tampering(func(b *readmodel.Batch) {
				b.FanOuts = slices.Clone(b.FanOuts[:min(1, len(b.FanOuts))])
				for i := range b.FanOuts {
					b.FanOuts[i].Range = readmodel.Range{Through: 1 << 60}
				}
			})},
		{"a fan-out that misses the batch's follows", []string{"fan-out reaches the followers in its range", "steps take effect in order", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) {
					b.FanOuts = slices.Clone(b.FanOuts)
					for i := range b.FanOuts {
						b.FanOuts[i].Through = min(b.FanOuts[i].Through, at.Position)
					}
				}}
			}},
		{"a fan-out that needs the chirp's row", []string{"fan-out may come before its chirp"},
			tampering(func(b *readmodel.Batch) {
				b.FanOuts = slices.DeleteFunc(slices.Clone(b.FanOuts), func(o readmodel.FanOut) bool {
					return !slices.ContainsFunc(b.Chirps, func(c readmodel.Chirp) bool { return c.Position == o.Chirp })
				})
			})},
		{"marks ignored", []string{"marks set what is in their range", random},
			tampering(func(b *readmodel.Batch) { b.Marks = nil })},
		{"a follow made anew that keeps its age", []string{"a follow made anew in one batch is refreshed"},
			tampering(func(b *readmodel.Batch) {
				both := func(f readmodel.Follow) bool { return f.Follower == 1 && f.Followee == 2 && len(b.Unfollows) == 1 }
				b.Follows = slices.DeleteFunc(slices.Clone(b.Follows), both)
				if len(b.Follows) == 0 {
					b.Unfollows = nil
				}
			})},
	}
}

// transactionFaults are faults in what is applied together, and when.
func transactionFaults() []fault {
	return []fault{
		{"cleanups at the end", []string{"steps take effect in order"},
			applying(inTwo(func(first, second *readmodel.Batch) { first.Cleanups, second.Cleanups = nil, first.Cleanups }))},
		{"half a batch at a time", []string{"a batch is never seen in part", "a batch that does not fit changes nothing"},
			applying(inTwo(func(first, second *readmodel.Batch) {
				first.Follows, second.Follows = nil, first.Follows
				first.FanOuts, second.FanOuts = nil, first.FanOuts
			}))},
		{"no fencing", []string{"a batch from another checkpoint is fenced", "of racing projectors one wins"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From = at }}
			}},
		{"partial checkpoints lost", []string{"a partial checkpoint is kept", "rows are read as they were written"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From, b.To.Partial = at, 0 }}
			}},
		{"partial checkpoints not compared", []string{"a batch from another checkpoint is fenced"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From.Partial = at.Partial }}
			}},
		{"a chirp twice", []string{"a batch that does not fit changes nothing"}, forgiving(true, false, false)},
		{"an unfollow of nobody", []string{"a batch that does not fit changes nothing"}, forgiving(false, true, false)},
		{"a follow twice", []string{"a batch that does not fit changes nothing"}, forgiving(false, false, true)},
	}
}

// readFaults are faults in reads.
func readFaults() []fault {
	return []fault{
		{"windows with After in them", []string{"lists keep to their windows", random},
			looking(func(w *readmodel.Window) { w.After-- })},
		{"windows with Before in them", []string{"lists keep to their windows"},
			looking(func(w *readmodel.Window) {
				if w.Before != 0 {
					w.Before++
				}
			})},
		{"a row too many", []string{"lists keep to their windows", random}, looking(func(w *readmodel.Window) { w.Limit++ })},
		{"one order only", []string{"lists keep to their windows", random}, looking(func(w *readmodel.Window) { w.Ascending = false })},
		{"the wrong order", []string{"lists keep to their windows", random}, looking(func(w *readmodel.Window) { w.Ascending = !w.Ascending })},
		{"pulled chirps not recent", []string{"what is recent comes from everybody", random}, reading(faulty{pushedOnly: true})},
		{"users by their last change", []string{"what is recent comes from everybody"}, reading(faulty{renewed: true})},
		{"few pulled authors", []string{"pulled chirps come from any number of authors"}, reading(faulty{fewAuthors: true})},
		{"rows repeated with their key", []string{"pulled chirps come from any number of authors"}, reading(faulty{repeats: true})},
		{"names that heed case", []string{"profiles are found by id, name and key"}, reading(faulty{caseSensitive: true})},
		{"no missing rows", []string{"missing rows are not found"}, reading(faulty{neverMissing: true})},
		{"numbers as floats", []string{"rows are read as they were written"}, reading(faulty{inFloats: true})},
		{"a followee and some rows forgotten", []string{"follows are found in sets", "totals count every row", random}, reading(faulty{oneShort: true})},
		{"a snapshot that drifts", []string{"a snapshot is one moment"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot { return drifting{s, m} }}
			}},
		{"rows miscounted", []string{"ranges are measured in rows", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, _ int64) readmodel.Writer { return miscounting{w} }}
			}},
	}
}

// waitFaults are faults in the rest of the store.
func waitFaults() []fault {
	return []fault{
		{"a threshold that changes", []string{"serving creates one generation"},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, n int64) readmodel.Writer { return forgetful{w, n} }}
			}},
		{"an await that misses", []string{"await wakes every waiter"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{await: func(ctx context.Context, beyond domain.Position) (domain.Position, error) {
					ended, cancel := context.WithCancel(ctx)
					cancel()
					if at, err := m.Await(ended, beyond); err == nil {
						return at, nil
					}
					<-ctx.Done()
					return 0, ctx.Err()
				}}
			}},
		{"an await that hides its end", []string{"await ends with its context"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{await: func(ctx context.Context, beyond domain.Position) (domain.Position, error) {
					at, _ := m.Await(ctx, beyond)
					return at, nil
				}}
			}},
		{"a lease for nobody", []string{"one holder has the lease"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return false, nil }}
			}},
	}
}

// sharedFaults are faults in the second of two handles on a store.
func sharedFaults() []fault {
	return []fault{
		{"a handle that knows its own changes only", []string{"each wakes to the other's checkpoint"},
			func(*readmodeltest.Memory) *broken {
				return &broken{await: func(ctx context.Context, _ domain.Position) (domain.Position, error) {
					<-ctx.Done()
					return 0, ctx.Err()
				}}
			}},
		{"a handle with old rows", []string{"both see what one has applied"},
			func(*readmodeltest.Memory) *broken {
				var first readmodel.Snapshot
				return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot {
					if first == nil {
						first = s
					}
					return first
				}}
			}},
		{"a handle that is not fenced", []string{"one fences the other"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From = at }}
			}},
		{"a generation each", []string{"both see one generation"},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, n int64) readmodel.Writer { return forgetful{w, n} }}
			}},
		{"a lease for all", []string{"the lease is one holder's at a time"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return true, nil }}
			}},
		{"a lease for all", []string{"of racing holders one wins"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return true, nil }}
			}},
		{"a lease for ever", []string{"a lease runs out"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return false, nil }}
			}},
		{"a lease that anybody gives up", []string{"the lease is one holder's at a time"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{release: func(string) error { return m.Release(context.Background(), "a") }}
			}},
	}
}

func tampering(change func(b *readmodel.Batch)) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{batch: func(b *readmodel.Batch, _ readmodel.Checkpoint) { change(b) }}
	}
}

func applying(apply func(readmodel.Writer, readmodel.Batch) error) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken { return &broken{apply: apply} }
}

func forgiving(chirps, unfollows, follows bool) func(*readmodeltest.Memory) *broken {
	return func(m *readmodeltest.Memory) *broken {
		return &broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
			return lenient(w, b, chirps, unfollows, follows, m)
		}}
	}
}

func looking(change func(*readmodel.Window)) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot { return windowed{s, change} }}
	}
}

func reading(f faulty) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot {
			f.Snapshot = s
			return f
		}}
	}
}
