package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"packhouse.dev/packhouse/registry/config"
)

// secure makes a listener one of TLS if there is a certificate, and says which scheme addresses have then.
func (f *devFlags) secure(l net.Listener) (secured net.Listener, scheme string, err error) {
	if f.certFile == "" && f.keyFile == "" {
		return l, "http", nil
	}
	if f.certFile == "" || f.keyFile == "" {
		return nil, "", errors.New("--tls-cert-file and --tls-key-file go together")
	}
	pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		return nil, "", fmt.Errorf("the certificate of --tls-cert-file and --tls-key-file: %w", err)
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}), "https", nil
}

// endpointsOf are the base addresses under which a listener can be reached: the one it listens on, and for one that listens
// everywhere those of this machine. Loopback names need not be listed.
func endpointsOf(addr net.Addr, scheme string) []config.Endpoint {
	scheme += "://"
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return []config.Endpoint{{Name: "listen", URL: scheme + addr.String()}}
	}
	port := fmt.Sprint(tcp.Port)
	list := []config.Endpoint{{Name: "listen", URL: scheme + net.JoinHostPort("127.0.0.1", port)}}
	hosts := []string{}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		addrs = nil // the names that are known have to do
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			hosts = append(hosts, n.IP.String())
		}
	}
	for _, h := range hosts {
		list = append(list, config.Endpoint{URL: scheme + net.JoinHostPort(h, port)})
	}
	return list
}
