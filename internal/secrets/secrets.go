package secrets

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/earshot-audio/earshot/internal/plaintext"
)

// Load returns the secret in a file, however an editor has ended it. An empty file is
// an error, and so is one that [CheckMode] refuses.
func Load(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = CheckMode(path)
	}
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(plaintext.Trim(data)))
	if secret == "" {
		return "", fmt.Errorf("%s is empty: put a secret in it, or remove it to have one made", path)
	}
	return secret, nil
}

// CheckMode returns an error if everybody on this machine can read or change the file of a
// secret, or whatever its name leads to. A group may: some systems give files to one.
func CheckMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o006 != 0 && runtime.GOOS != "windows" { // where it says nothing
		return fmt.Errorf("everybody on this machine can read or change %s (mode %04o): it is a secret no more if somebody has; remove it to have another made, or else: chmod 600 %s", path, mode, path)
	}
	return nil
}

// LoadOrCreate is Load, and creates the secret with 260 random bits in 52 characters
// if the file does not exist.
func LoadOrCreate(path string) (string, error) {
	loaded, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return loaded, err
	}
	secret := rand.Text() + rand.Text()
	if err := writeFile(path, []byte(secret+"\n")); err != nil {
		return "", fmt.Errorf("write a secret: %w", err)
	}
	return secret, nil
}

// writeFile writes a file of mode 0600, atomically and synced, and makes its
// directory if there is none.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, as it should
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
