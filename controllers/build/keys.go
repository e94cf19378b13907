package build

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// Lifetimes of certificates. They are renewed when a third of the time is left.
const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 365 * 24 * time.Hour
)

// SealingKeyBytes is the length of a sealing key.
const SealingKeyBytes = 32

// NewSealingKey makes a sealing key from random bytes.
func NewSealingKey(random io.Reader) ([]byte, error) {
	key := make([]byte, SealingKeyBytes)
	_, err := io.ReadFull(random, key)
	return key, err
}

// Pair is a certificate with its key, both in PEM.
type Pair struct{ Certificate, Key []byte }

// Role is what a certificate is for.
type Role int

// The roles.
const (
	Authority Role = iota // signs the others
	Server                // of the admin API
	Client                // of whoever administers
)

// NewPair makes a certificate, signed by authority, or by itself if it is one. name is in its subject and, for a server, the name that
// clients verify.
func NewPair(role Role, name string, authority Pair, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	switch role {
	case Authority:
		template.NotAfter = now.Add(authorityLife)
		template.IsCA, template.MaxPathLenZero = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
	case Server:
		template.DNSNames, template.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case Client:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if role != Authority {
		if parent, signer, err = authority.parse(); err != nil {
			return Pair{}, fmt.Errorf("certificate authority: %w", err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}

func (p Pair) parse() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	c, k := decodeOne(p.Certificate), decodeOne(p.Key)
	if c == nil || k == nil {
		return nil, nil, errors.New("it is not PEM")
	}
	certificate, err := x509.ParseCertificate(c)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(certificate.PublicKey) {
		return nil, nil, errors.New("certificate and key do not belong together")
	}
	return certificate, private, nil
}

func decodeOne(text []byte) []byte {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	return block.Bytes
}

// Good says whether a pair can go on being used: it parses, is signed by authority
// (by itself if that is the zero Pair), and has more than a third of its time left.
func (p Pair) Good(authority Pair, now time.Time) bool {
	c, _, err := p.parse()
	if err != nil {
		return false
	}
	parent := c
	if len(authority.Certificate) > 0 {
		if parent, _, err = authority.parse(); err != nil {
			return false
		}
	}
	left, life := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	return c.CheckSignatureFrom(parent) == nil && !now.Before(c.NotBefore) && left > life/3
}
