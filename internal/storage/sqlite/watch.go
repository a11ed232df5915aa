package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// watchEvery is how often the folder is compared with what was opened.
const watchEvery = time.Second

// watch looks, as long as the store is open, whether the folder is still what
// was opened. Only the server that holds the folder's lock does.
func (s *Store) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for swept := time.Now(); ; {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		if s.log.CheckFiles() != nil {
			continue // the log's own watch says so
		}
		s.log.SetLockProblem(s.checkLock())
		if time.Since(swept) >= sweepEvery {
			swept = time.Now()
			sweep(s.dir, s.options.Log)
		}
		s.lookAfterViews()
	}
}

// lookAfterViews makes views again that went away, and notes when they cannot be
// read or made.
func (s *Store) lookAfterViews() {
	err := explainAccess(s.dir, s.options, s.views.Mend())
	switch {
	case err == nil:
		s.viewsOutage.Ended(s.options.Log, "the views can be read again")
	case s.log.Err() == nil: // otherwise the log's own watch says so
		s.viewsOutage.Failed(s.options.Log, "the views cannot be read", err, "folder", s.dir)
	}
}

// checkLock sees that the lock's file is the one that this process has locked,
// and takes the lock again if it is not. It returns what is wrong.
func (s *Store) checkLock() string {
	path := filepath.Join(s.dir, lockFile)
	if now, err := os.Stat(path); err == nil {
		if held, err := s.lock.Stat(); err == nil && os.SameFile(now, held) {
			return ""
		}
	}
	lock, err := lockFolder(s.dir)
	if err != nil {
		return fmt.Sprintf("%s was deleted or replaced, and the folder can no more be locked (%v), so nothing is written to the log. "+
			"If another server has the folder, stop one of the two", path, err)
	}
	_ = unlock(s.lock) // it locks a file that has no name
	s.lock = lock
	s.options.Log.Warn("the file that locks the data folder was deleted or replaced; the folder is locked again", "file", path)
	return ""
}
