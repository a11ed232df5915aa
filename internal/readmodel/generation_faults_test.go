package readmodel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
)

func TestGenerationSuiteFailsBrokenStores(t *testing.T) {
	for _, f := range generationFaults() {
		t.Run(f.name, func(t *testing.T) {
			suite := readmodeltest.SharedSuite{Patience: patience, Open: func(testing.TB) (one, other readmodel.Store) {
				m := readmodeltest.NewMemory()
				a, b := f.make(m), f.make(m)
				a.broken.Store, a.memory = m, m
				b.broken.Store, b.memory = m, m
				return a, b
			}}
			wantFailures(t, suite.GenerationChecks(), f.found)
		})
	}
}

// brokenGenerations is a broken store with faults in building generations.
type brokenGenerations struct {
	broken
	memory     *readmodeltest.Memory
	unfinished func() (readmodel.Generation, error)
	build      func(epoch string, threshold int64) (readmodel.Builder, error)
	switchover func(b readmodel.Builder) error
	finish     func(b readmodel.Builder) error
	hold       func(b readmodel.Builder, d time.Duration) error
	drop       func(age time.Duration) ([]int, error)
}

func (b *brokenGenerations) Build(ctx context.Context, epoch string, threshold int64) (made readmodel.Builder, err error) {
	if b.build != nil {
		made, err = b.build(epoch, threshold)
	} else {
		made, err = b.memory.Build(ctx, epoch, threshold)
	}
	if err != nil {
		return nil, err
	}
	return brokenBuilder{made, b}, nil
}

func (b *brokenGenerations) Unfinished(ctx context.Context) (readmodel.Generation, error) {
	if b.unfinished != nil {
		return b.unfinished()
	}
	return b.memory.Unfinished(ctx)
}

func (b *brokenGenerations) DropRetired(ctx context.Context, age time.Duration) ([]int, error) {
	if b.drop != nil {
		return b.drop(age)
	}
	return b.memory.DropRetired(ctx, age)
}

type brokenBuilder struct {
	readmodel.Builder
	store *brokenGenerations
}

func (b brokenBuilder) Apply(ctx context.Context, batch readmodel.Batch) error {
	return brokenWriter{b.Builder, &b.store.broken}.Apply(ctx, batch)
}

func (b brokenBuilder) Finish(ctx context.Context) error {
	if b.store.finish != nil {
		return b.store.finish(b.Builder)
	}
	return b.Builder.Finish(ctx)
}

func (b brokenBuilder) Hold(ctx context.Context, d time.Duration) error {
	if b.store.hold != nil {
		return b.store.hold(b.Builder, d)
	}
	return b.Builder.Hold(ctx, d)
}

func (b brokenBuilder) Switch(ctx context.Context) error {
	if b.store.switchover != nil {
		return b.store.switchover(b.Builder)
	}
	return b.Builder.Switch(ctx)
}

type generationFault struct {
	name  string
	found []string
	make  func(m *readmodeltest.Memory) *brokenGenerations
}

func generationFaults() []generationFault {
	ctx := context.Background()
	return []generationFault{
		{"a build while nothing serves", []string{"build fails while nothing serves"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{build: func(epoch string, threshold int64) (readmodel.Builder, error) {
					if _, err := m.Serving(ctx, epoch, threshold); err != nil {
						return nil, err
					}
					return m.Build(ctx, epoch, threshold)
				}}
			}},
		{"a build that serves immediately", []string{"a generation that is being built is not visible"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
					err := w.Apply(ctx, b)
					if builder, is := w.(readmodel.Builder); is && err == nil {
						_ = builder.Switch(ctx)
					}
					return err
				}}}
			}},
		{"unfinished generations that are not seen", []string{"all processes see what is unfinished"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{unfinished: func() (readmodel.Generation, error) { return readmodel.Generation{}, readmodel.ErrNotFound }}
			}},
		{"a build that always starts again", []string{"building is resumed where it stopped", "finish and switch may be repeated"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{build: func(epoch string, threshold int64) (readmodel.Builder, error) {
					if _, err := m.Build(ctx, "none", 1); err != nil {
						return nil, err
					}
					return m.Build(ctx, epoch, threshold)
				}}
			}},
		{"a build that resumes any generation", []string{"another threshold or epoch starts a new generation"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				var first readmodel.Builder
				return &brokenGenerations{build: func(epoch string, threshold int64) (b readmodel.Builder, err error) {
					if first == nil {
						first, err = m.Build(ctx, epoch, threshold)
					}
					return first, err
				}}
			}},
		{"a builder that loses rows", []string{"a builder applies like a projector", "a switch beside an active projector loses nothing"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
					if _, is := w.(readmodel.Builder); is {
						b.Cleanups = nil
						if b.From.Position == 17 {
							b.Profiles = nil
						}
					}
					return w.Apply(ctx, b)
				}}}
			}},
		{"builders that are not fenced", []string{"two builders fence each other", "racing builders build one generation"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{batch: func(b *readmodel.Batch, at readmodel.Checkpoint) { b.From = at }}}
			}},
		{"a switch that does not wait", []string{"a switch waits for the serving checkpoint"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{switchover: func(b readmodel.Builder) error {
					err := b.Switch(ctx)
					if errors.Is(err, readmodel.ErrBehind) {
						return nil
					}
					return err
				}}
			}},
		{"a switch that changes what it refuses", []string{"a switch waits for the serving checkpoint"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{switchover: func(b readmodel.Builder) error {
					err := b.Switch(ctx)
					if g, _ := b.Generation(ctx); errors.Is(err, readmodel.ErrBehind) {
						to := g.Checkpoint
						to.Partial++
						err = errors.Join(err, b.Apply(ctx, readmodel.Batch{From: g.Checkpoint, To: to}))
					}
					return err
				}}
			}},
		{"a switch that takes effect in one process only", []string{"a switch takes effect in all processes"}, stuck},
		{"a switch that wakes no waiter", []string{"a switch wakes every waiter"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{await: func(ctx context.Context, beyond domain.Position) (domain.Position, error) {
					<-ctx.Done()
					return 0, ctx.Err()
				}}}
			}},
		{"an old writer that is not told that it is fenced", []string{"a switch takes effect in all processes"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
					if err := w.Apply(ctx, b); !errors.Is(err, readmodel.ErrFenced) {
						return err
					}
					return nil
				}}}
			}},
		{"a writer that uses the threshold of Serving", []string{"a switch takes effect in all processes"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{writer: func(w readmodel.Writer, n int64) readmodel.Writer { return forgetful{w, n} }}}
			}},
		{"a snapshot that changes with the switch", []string{"a switch does not affect open snapshots"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{snapshot: func(s readmodel.Snapshot) readmodel.Snapshot { return following{s, m} }}}
			}},
		{"a hold that does nothing", []string{"a hold lasts until the switch"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{hold: func(readmodel.Builder, time.Duration) error { return nil }}
			}},
		{"a hold that never ends", []string{"a hold ends by itself"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{hold: func(b readmodel.Builder, _ time.Duration) error { return b.Hold(ctx, time.Hour) }}
			}},
		{"a hold that fences", []string{"a hold lasts until the switch", "a hold ends by itself"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{broken: broken{apply: func(w readmodel.Writer, b readmodel.Batch) error {
					err := w.Apply(ctx, b)
					if errors.Is(err, readmodel.ErrHeld) {
						return readmodel.ErrFenced
					}
					return err
				}}}
			}},
		{"a second switch that fails", []string{"finish and switch may be repeated"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{switchover: func(b readmodel.Builder) error {
					if s, err := m.Snapshot(ctx); err == nil {
						if g, _ := b.Generation(ctx); g.Number == s.Generation().Number {
							return readmodel.ErrFenced
						}
					}
					return b.Switch(ctx)
				}}
			}},
		{"a finish that works once", []string{"finish and switch may be repeated"},
			func(*readmodeltest.Memory) *brokenGenerations {
				var once sync.Map
				return &brokenGenerations{finish: func(b readmodel.Builder) error {
					g, err := b.Generation(ctx)
					if _, again := once.LoadOrStore(g.Number, true); again {
						return errors.New("the index exists")
					}
					return err
				}}
			}},
		{"dropping too early", []string{"retired generations are dropped in time"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{drop: func(time.Duration) ([]int, error) { return m.DropRetired(ctx, 0) }}
			}},
		{"dropping what is being built", []string{"retired generations are dropped in time"},
			func(m *readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{drop: func(age time.Duration) ([]int, error) {
					_, err := m.Build(ctx, "none", 1)
					dropped, _ := m.DropRetired(ctx, age)
					return dropped, err
				}}
			}},
		{"dropping nothing", []string{"retired generations are dropped in time"},
			func(*readmodeltest.Memory) *brokenGenerations {
				return &brokenGenerations{drop: func(time.Duration) ([]int, error) { return nil, nil }}
			}},
	}
}

// stuck returns a handle that keeps reading the generation that it read first.
func stuck(*readmodeltest.Memory) *brokenGenerations {
	b := &brokenGenerations{}
	var mu sync.Mutex
	var first readmodel.Snapshot
	b.snapshot = func(s readmodel.Snapshot) readmodel.Snapshot {
		mu.Lock()
		defer mu.Unlock()
		if first == nil || first.Generation().Number == s.Generation().Number {
			first = s
		}
		return first
	}
	return b
}

// following is a snapshot whose profiles are those of the generation that serves now.
type following struct {
	readmodel.Snapshot
	store readmodel.Store
}

func (s following) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	now, err := s.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer now.Close()
	return now.Profiles(ctx, keys)
}
