package eventstoretest_test

import (
	"slices"
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

func TestLogThatWorksPasses(t *testing.T) {
	eventstoretest.Run(t, func(testing.TB) eventstore.Log { return newMemory(none) })
}

func TestMemoryPasses(t *testing.T) {
	eventstoretest.Run(t, func(testing.TB) eventstore.Log { return eventstoretest.NewMemory() })
}

func TestLogThatRewritesJSONPasses(t *testing.T) {
	eventstoretest.Run(t, func(testing.TB) eventstore.Log { return rewritesJSON{newMemory(none)} })
}

// broken is a log with a flaw, and the case that must detect it.
type broken struct {
	flaw string
	log  func() eventstore.Log
	part string
}

func with(f flaw) func() eventstore.Log { return func() eventstore.Log { return newMemory(f) } }

func sound() eventstore.Log { return newMemory(none) }

// TestBrokenLogFails runs each case against logs with a flaw that it must detect.
func TestBrokenLogFails(t *testing.T) {
	tried := map[string]bool{}
	for _, b := range slices.Concat(brokenAppends(), brokenCommands(), brokenReads(), brokenFollows()) {
		tried[b.part] = true
		t.Run(b.flaw, func(t *testing.T) {
			t.Parallel()
			part := caseNamed(t, b.part)
			got := failure(t, func(t testing.TB) { part.Run(t, func(testing.TB) eventstore.Log { return b.log() }) })
			if got == "" {
				t.Fatalf("a log that %s passed %q", b.flaw, b.part)
			}
			t.Log(got)
		})
	}
	for _, c := range eventstoretest.Cases() {
		if !tried[c.Name] {
			t.Errorf("no broken log was tried on %q", c.Name)
		}
	}
}

func brokenAppends() []broken {
	return []broken{
		{"leaves gaps", with(leavesGaps), "append writes the events at consecutive positions in order"},
		{"doubles events", with(doublesEvents), "append writes the events at consecutive positions in order"},
		{"reorders events", with(reordersEvents), "append writes the events at consecutive positions in order"},
		{"returns nothing", func() eventstore.Log { return readsNothing{sound()} }, "append writes the events at consecutive positions in order"},
		{"never moves its head", func() eventstore.Log { return stuckHead{sound()} }, "append writes the events at consecutive positions in order"},
		{"doubles events further on", with(doublesEvents), "append continues a stream"},
		{"writes one stream after the other", with(groupsByStream), "append may alternate between streams"},
		{"shows an event late", func() eventstore.Log { return showsLate{sound()} }, "append returns what can be read immediately"},
		{"loads too little", func() eventstore.Log { return loadsLittle{sound()} }, "append takes more events than a read returns"},
		{"takes any version", with(ignoresVersions), "a conflict names the stream and writes nothing"},
		{"takes versions ahead", with(ignoresVersionsAhead), "a conflict names the stream and writes nothing"},
		{"hides the conflict", with(hidesTheConflict), "a conflict names the stream and writes nothing"},
		{"names the wrong version", with(namesTheWrongVersion), "a conflict names the stream and writes nothing"},
		{"spends positions on conflicts", with(spendsPositionsOnConflicts), "a conflict names the stream and writes nothing"},
		{"writes stream by stream", with(writesStreamByStream), "append to several streams is all or nothing"},
		{"checks the first stream only", with(ignoresSomeVersions), "append to several streams is all or nothing"},
		{"takes anything", with(takesAnything), "append refuses what is malformed"},
		{"forgets commands when interrupted", func() eventstore.Log { return interrupted{newMemory(forgetsCommands)} }, "append can be repeated after its context ended"},
		{"says that nothing was written when it was", func() eventstore.Log { return falselyCertain{sound()} }, "append can be repeated after its context ended"},
		{"the last writer wins", with(checksVersionsEarly), "of writers racing for one version exactly one wins and no reader skips a position"},
		{"shows a later event first", func() eventstore.Log { return showsLaterFirst{sound()} }, "of writers racing for one version exactly one wins and no reader skips a position"},
		{"checks the first stream only in a race", with(ignoresSomeVersions), "of writers racing for overlapping streams exactly one wins"},
		{"spends positions on conflicts under load", with(spendsPositionsOnConflicts), "positions are gap-free and in commit order under many writers"},
		{"shows a later event first under load", func() eventstore.Log { return showsLaterFirst{sound()} }, "positions are gap-free and in commit order under many writers"},
	}
}

func brokenCommands() []broken {
	return []broken{
		{"forgets commands", with(forgetsCommands), "a repeated command writes nothing and returns the first commit"},
		{"checks versions before commands", with(checksVersionsBeforeCommands), "a repeated command writes nothing and returns the first commit"},
		{"does not say that it is a repeat", func() eventstore.Log { return neverRepeated{sound()} }, "a repeated command writes nothing and returns the first commit"},
		{"takes every command with the id for the same one", with(ignoresFingerprints), "a command id used for another command is refused"},
		{"shares command ids between actors", with(sharesCommandsBetweenActors), "command ids of two actors are independent"},
		{"forgets commands at once", with(forgetsCommands), "a command repeated at the same moment is written once"},
		{"does not say that it is a repeat at once", func() eventstore.Log { return neverRepeated{sound()} }, "a command repeated at the same moment is written once"},
		{"takes racing commands for the same", with(ignoresFingerprints), "of commands racing for one id exactly one wins"},
		{"remembers failures", with(remembersFailures), "a command that failed is not remembered"},
		{"finds no commit", func() eventstore.Log { return findsNothing{sound()} }, "committed finds what a command wrote"},
		{"finds part of a commit", func() eventstore.Log { return findsLittle{sound()} }, "committed finds what a command wrote"},
	}
}

func brokenReads() []broken {
	return []broken{
		{"keeps nanoseconds", with(keepsNanoseconds), "an event keeps its envelope"},
		{"loses the command mark", with(losesTheMark), "an event keeps its envelope"},
		{"marks every event of an append", with(marksEveryEvent), "append writes the events at consecutive positions in order"},
		{"loses the correlation id", with(losesCorrelation), "an event keeps its envelope"},
		{"returns local time", func() eventstore.Log { return localTime{sound()} }, "an event keeps its envelope"},
		{"rounds numbers", func() eventstore.Log { return roundsNumbers{sound()} }, "data keeps its meaning"},
		{"loads streams by prefix", func() eventstore.Log { return loadsPrefix{sound()} }, "load returns one stream in version order"},
		{"loads the newest first", func() eventstore.Log { return loadsBackwards{sound()} }, "load returns one stream in version order"},
		{"reads past the limit", func() eventstore.Log { return ignoresLimit{sound()} }, "read all returns at most limit events after a position"},
		{"reads the event at the position too", func() eventstore.Log { return readsInclusive{sound()} }, "read all returns at most limit events after a position"},
		{"fails when it reads", func() eventstore.Log { return failsToRead{sound()} }, "read all returns at most limit events after a position"},
		{"takes any position for an event's", func() eventstore.Log { return hashesAnything{sound()} }, "hashes are those of existing events"},
		{"takes an ended read for an empty log", func() eventstore.Log { return emptyWhenEnded{sound()} }, "a read after its context ended is not an empty log"},
		{"generates an epoch at each call", func() eventstore.Log { return newEpochs{sound()} }, "head keeps the epoch and distinguishes logs"},
		{"has the epoch of every log", func() eventstore.Log { return sameEpoch{sound()} }, "head keeps the epoch and distinguishes logs"},
	}
}

func brokenFollows() []broken {
	return []broken{
		{"follows the past only", func() eventstore.Log { return followsPast{sound()} }, "follow yields past events and then new ones"},
		{"wakes no follower", func() eventstore.Log { return followsAsleep{sound()} }, "follow yields past events and then new ones"},
		{"yields empty batches", func() eventstore.Log { return followsEmptily{sound()} }, "follow yields past events and then new ones"},
		{"skips between past and live", func() eventstore.Log { return followsWithSeam{sound(), 1} }, "followers that start during appends miss and repeat nothing"},
		{"doubles between past and live", func() eventstore.Log { return followsWithSeam{sound(), -1} }, "followers that start during appends miss and repeat nothing"},
		{"follows from the start always", func() eventstore.Log { return followsFromStart{sound()} }, "follow starts at any position"},
		{"goes on where an iteration stopped", func() eventstore.Log { return followsOn{sound()} }, "each iteration of follow starts again"},
		{"ends without an error", func() eventstore.Log { return endsQuietly{sound()} }, "follow ends with its context"},
		{"ends with another error", func() eventstore.Log { return endsOtherwise{sound()} }, "follow ends with its context"},
		{"follows from before the start", func() eventstore.Log { return followsBefore{sound()} }, "follow from a position outside the log is refused"},
		{"follows from beyond the head", func() eventstore.Log { return followsBeyond{sound()} }, "follow from a position outside the log is refused"},
		{"lets one follower hold up the others", func() eventstore.Log { return followsOneByOne{sound(), make(chan struct{}, 1)} }, "a slow follower delays no other"},
	}
}
