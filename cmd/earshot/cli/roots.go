package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/plaintext"
)

// LoadRoots reads certificate authorities that are trusted beside the system's; nil
// for the system's alone.
func LoadRoots(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(plaintext.Trim(pem)) {
		return nil, fmt.Errorf("--ca: %s holds no PEM certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// CAFlag adds the flag with the file for [LoadRoots].
func CAFlag(flags *pflag.FlagSet, ca *string) {
	flags.StringVar(ca, "ca", "", "`file` of certificate authorities (PEM) to trust beside the system's")
}
