package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Listen is an address to listen at: host and port. The host may be empty for all addresses of the machine.
type Listen struct {
	Host string
	Port uint16
}

// UnmarshalText reads HOST:PORT, [IPv6]:PORT or :PORT.
func (l *Listen) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return Fail("listen_form").With("value", string(text))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strings.ContainsAny(host, "/@?#% ") {
		return Fail("listen_form").With("value", string(text))
	}
	l.Host, l.Port = host, uint16(n)
	return nil
}

// String is the address as net.Listen takes it.
func (l Listen) String() string { return net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))) }

// Loopback says whether only this machine can reach the address. A name other than localhost may mean
// anything, so it counts as not.
func (l Listen) Loopback() bool {
	if strings.EqualFold(l.Host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(l.Host)
	return err == nil && ip.Unmap().IsLoopback()
}

// addressInUse is WSAEADDRINUSE, which Windows says instead of EADDRINUSE.
const addressInUse = syscall.Errno(10048)

// Open listens. flag is what the caller may change; the failure names it.
func (l Listen) Open(flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", l.String())
	if err == nil {
		return listener, nil
	}
	code := "listen_failed"
	if errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, addressInUse) {
		code = "port_in_use"
	}
	return nil, Fail(code).With("address", l).With("flag", flag).Because(err)
}

// URL is how a client on this network reaches what listens at bound. For all addresses of the machine it
// names one that others can reach, where there is one.
func (l Listen) URL(bound net.Addr) string {
	port := l.Port
	if tcp, ok := bound.(*net.TCPAddr); ok {
		port = uint16(tcp.Port)
	}
	host := l.Host
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = reachable()
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(int(port)))}).String()
}

// reachable is the machine's first address on a network, or the loopback address.
func reachable() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
