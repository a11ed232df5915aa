package readmodel_test

import (
	"context"
	"slices"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
)

// fault is a way to break a store, and found the checks that must fail because of
// it.
type fault struct {
	name  string
	found []string
	make  func(m *readmodeltest.Memory) *broken
}

// random is the name of the check with random batches, which must find most faults
// that the others find in batches and windows.
const random = "random batches do what the contract says"

// deliveryFaults are faults in the effect of batches on timelines and marks.
func deliveryFaults() []fault {
	return []fault{
		{"a cleanup that removes nothing", []string{"cleanup removes what is in its range", random},
			changingBatches(func(b *readmodel.Batch) { b.Cleanups = nil })},
		{"a backfill without its first chirp", []string{"backfill adds what is in its range", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: ranges(func(r *readmodel.Range) { r.After++ })}
			}},
		{"a backfill without its last chirp", []string{"backfill adds what is in its range", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: ranges(func(r *readmodel.Range) { r.Through-- })}
			}},
		{"pulled chirps in timelines", []string{"timelines contain only pushed chirps", random},
			changingBatches(func(b *readmodel.Batch) {
				for _, c := range b.Chirps {
					if c.Delivery == readmodel.Pull {
						b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: c.Position, Author: c.Author, Range: readmodel.Range{Through: 1 << 60}})
					}
				}
			})},
		{"a fan-out to all followers", []string{"fan-out reaches the followers in its range"},
			changingBatches(func(b *readmodel.Batch) {
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
			changingBatches(func(b *readmodel.Batch) {
				b.FanOuts = slices.DeleteFunc(slices.Clone(b.FanOuts), func(o readmodel.FanOut) bool {
					return !slices.ContainsFunc(b.Chirps, func(c readmodel.Chirp) bool { return c.Position == o.Chirp })
				})
			})},
		{"marks ignored", []string{"marks set what is in their range", random},
			changingBatches(func(b *readmodel.Batch) { b.Marks = nil })},
		{"a follow removed and made again that keeps its position", []string{"a follow removed and made again in one batch is replaced"},
			changingBatches(func(b *readmodel.Batch) {
				both := func(f readmodel.Follow) bool { return f.Follower == 1 && f.Followee == 2 && len(b.Unfollows) == 1 }
				b.Follows = slices.DeleteFunc(slices.Clone(b.Follows), both)
				if len(b.Follows) == 0 {
					b.Unfollows = nil
				}
			})},
	}
}

// transactionFaults are faults in what is applied together.
func transactionFaults() []fault {
	return []fault{
		{"cleanups at the end", []string{"steps take effect in order"},
			applyingWith(inTwo(func(first, second *readmodel.Batch) { first.Cleanups, second.Cleanups = nil, first.Cleanups }))},
		{"half a batch at a time", []string{"a batch is never seen in part", "a batch that does not fit changes nothing"},
			applyingWith(inTwo(func(first, second *readmodel.Batch) {
				first.Follows, second.Follows = nil, first.Follows
				first.FanOuts, second.FanOuts = nil, first.FanOuts
			}))},
		{"no fencing", []string{"a batch from another checkpoint is fenced", "one of several racing projectors wins"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From = at }}
			}},
		{"partial checkpoints lost", []string{"a partial checkpoint is stored", "rows are read as they were written"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From, b.To.Partial = at, 0 }}
			}},
		{"partial checkpoints not compared", []string{"a batch from another checkpoint is fenced"},
			func(*readmodeltest.Memory) *broken {
				return &broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From.Partial = at.Partial }}
			}},
		{"a chirp twice", []string{"a batch that does not fit changes nothing"}, forgiving(true, false, false)},
		{"an unfollow without a follow", []string{"a batch that does not fit changes nothing"}, forgiving(false, true, false)},
		{"a follow twice", []string{"a batch that does not fit changes nothing"}, forgiving(false, false, true)},
	}
}

// readFaults are faults in reads.
func readFaults() []fault {
	return []fault{
		{"windows with After in them", []string{"lists respect their windows", random},
			changingWindows(func(w *readmodel.Window) { w.After-- })},
		{"windows with Before in them", []string{"lists respect their windows"},
			changingWindows(func(w *readmodel.Window) {
				if w.Before != 0 {
					w.Before++
				}
			})},
		{"a row too many", []string{"lists respect their windows", random}, changingWindows(func(w *readmodel.Window) { w.Limit++ })},
		{"one order only", []string{"lists respect their windows", random}, changingWindows(func(w *readmodel.Window) { w.Ascending = false })},
		{"the wrong order", []string{"lists respect their windows", random}, changingWindows(func(w *readmodel.Window) { w.Ascending = !w.Ascending })},
		{"recent chirps without the pulled ones", []string{"recent rows come from all users", random}, withFaultyReads(faulty{pushedOnly: true})},
		{"recent users ordered by their last change", []string{"recent rows come from all users"}, withFaultyReads(faulty{renewed: true})},
		{"few sources", []string{"chirps come from any number of sources"}, withFaultyReads(faulty{fewAuthors: true})},
		{"chirps repeated with their source", []string{"chirps come from any number of sources"}, withFaultyReads(faulty{repeats: true})},
		{"sources without an end", []string{"chirps come from any number of sources", "sources have what a follow skips", random}, withFaultyReads(faulty{unbounded: true})},
		{"splits lost", []string{"rows are read as they were written", "sources have what a follow skips", "totals count every row", random},
			changingBatches(func(b *readmodel.Batch) {
				b.Follows = slices.Clone(b.Follows)
				for i := range b.Follows {
					b.Follows[i].Split = readmodel.Split{}
				}
			})},
		{"usernames that are case-sensitive", []string{"profiles are found by id, name and key"}, withFaultyReads(faulty{caseSensitive: true})},
		{"rows that are never missing", []string{"missing rows are not found"}, withFaultyReads(faulty{neverMissing: true})},
		{"numbers as floats", []string{"rows are read as they were written"}, withFaultyReads(faulty{inFloats: true})},
		{"followee ids and totals that are too few", []string{"follows are found among several users", "totals count every row", random}, withFaultyReads(faulty{oneShort: true})},
		{"a snapshot that drifts", []string{"a snapshot shows one moment"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot { return drifting{s, m} }}
			}},
		{"a range with a row too many", []string{"ranges end at the number of rows asked for", random},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, _ int64) readmodel.Writer { return miscounting{w} }}
			}},
	}
}

// waitFaults are faults in the generation, in Await and in the lease.
func waitFaults() []fault {
	return []fault{
		{"a threshold that changes", []string{"serving creates one generation"},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, n int64) readmodel.Writer { return forgetful{w, n} }}
			}},
		{"an await that misses changes", []string{"await wakes every waiter"},
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
		{"an await that hides the end of its context", []string{"await ends with its context"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{await: func(ctx context.Context, beyond domain.Position) (domain.Position, error) {
					at, _ := m.Await(ctx, beyond)
					return at, nil
				}}
			}},
		{"a lease that is never granted", []string{"a single holder gets the lease"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return false, nil }}
			}},
	}
}

// sharedFaults are faults in the second of two handles on a store.
func sharedFaults() []fault {
	return []fault{
		{"a handle that knows only its own changes", []string{"await learns of the other's checkpoint"},
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
		{"a generation for each handle", []string{"both see one generation"},
			func(*readmodeltest.Memory) *broken {
				return &broken{writer: func(w readmodel.Writer, n int64) readmodel.Writer { return forgetful{w, n} }}
			}},
		{"a lease for everyone", []string{"the lease has one holder at a time"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return true, nil }}
			}},
		{"a lease for everyone", []string{"one of several racing holders wins"},
			func(*readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return true, nil }}
			}},
		{"a lease that never expires", []string{"a lease expires"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{lease: func(string, time.Duration) (bool, error) { return false, nil }}
			}},
		{"a lease that anyone can release", []string{"the lease has one holder at a time"},
			func(m *readmodeltest.Memory) *broken {
				return &broken{release: func(string) error { return m.Release(context.Background(), "a") }}
			}},
	}
}

func changingBatches(change func(b *readmodel.Batch)) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{batch: func(b *readmodel.Batch, _ readmodel.Checkpoint) { change(b) }}
	}
}

func applyingWith(apply func(readmodel.Writer, readmodel.Batch) error) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken { return &broken{apply: apply} }
}

func forgiving(chirps, unfollows, follows bool) func(*readmodeltest.Memory) *broken {
	return func(m *readmodeltest.Memory) *broken {
		return &broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
			return lenient(w, b, chirps, unfollows, follows, m)
		}}
	}
}

func changingWindows(change func(*readmodel.Window)) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot { return windowed{s, change} }}
	}
}

func withFaultyReads(f faulty) func(*readmodeltest.Memory) *broken {
	return func(*readmodeltest.Memory) *broken {
		return &broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot {
			f.Snapshot = s
			return f
		}}
	}
}
