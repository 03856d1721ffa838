package store

import (
	"encoding/json"
	"fmt"
)

// recordVersion is the version of the records that this program writes, and the latest
// that it reads. Each record has its own as "version", but for those of v0.1.0, which
// are version 0. A program drops the fields that it does not know when it writes a record
// anew, so each change of the fields raises the version: TestFieldsHaveAVersion.
const recordVersion = 2

// encode returns the record of a value, which is a struct with at least one field.
func encode(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, `{"version":%d,`, recordVersion), data[1:]...), nil
}

// decode reads a record into a value. The error is [ErrNewer] for one that a newer
// program has written.
func decode(data []byte, value any) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("not what this version writes: %w", err)
	}
	if head.Version > recordVersion {
		return fmt.Errorf("%w (its records are version %d, this one knows %d)", ErrNewer, head.Version, recordVersion)
	}
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("not what this version writes: %w", err)
	}
	return nil
}
