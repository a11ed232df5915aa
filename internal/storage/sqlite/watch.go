package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// watchEvery is how often the server checks that the folder is what it opened.
const watchEvery = time.Second

// watch checks the folder's lock and the views until the store is closed. Only the
// server that holds the lock runs it.
func (s *Store) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for removed := time.Now(); ; {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		if s.log.CheckFiles() != nil {
			continue // the log reports it itself
		}
		s.log.SetLockProblem(s.checkLock())
		if time.Since(removed) >= removeEvery {
			removed = time.Now()
			removeLeftovers(s.dir, s.options.Log)
		}
		s.checkViews()
	}
}

// checkViews creates the views again if they went away, and records an outage
// while they cannot be read or created.
func (s *Store) checkViews() {
	err := explainAccess(s.dir, s.options, s.views.EnsureServing())
	switch {
	case err == nil:
		s.viewsOutage.Ended(s.options.Log, "the views can be read again")
	case s.log.Err() == nil: // otherwise the log reports it itself
		s.viewsOutage.Failed(s.options.Log, "the views cannot be read", err, "folder", s.dir)
	}
}

// checkLock checks that the lock file is the one that this process has locked, and
// locks the folder again if it is not. It returns a description of the problem
// that remains, "" if there is none.
func (s *Store) checkLock() string {
	path := filepath.Join(s.dir, lockName)
	if now, err := os.Stat(path); err == nil {
		if held, err := s.lock.Stat(); err == nil && os.SameFile(now, held) {
			return ""
		}
	}
	lock, err := lockFolder(s.dir)
	if err != nil {
		return fmt.Sprintf("%s was deleted or replaced, and the folder cannot be locked again (%v), so nothing is written to the log. "+
			"If another server has the folder, stop one of the two", path, err)
	}
	_ = unlock(s.lock) // of a file that has lost its name
	s.lock = lock
	s.options.Log.Warn("the file that locks the data folder was deleted or replaced; the folder is locked again", "file", path)
	return ""
}
