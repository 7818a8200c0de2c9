package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// A word of services is one that takes so many arguments and goes on at once.
var services = map[string]struct {
	arguments int
	do        func(args []string) error
}{
	"notify":    {1, notify},
	"alive":     {2, alive},
	"serve":     {2, serve},
	"serve-tls": {5, serveTLS},
}

// notify TEXT: a datagram to NOTIFY_SOCKET, with Go's escapes; SELF is its pid.
func notify(args []string) error {
	text, err := strconv.Unquote(`"` + args[0] + `"`)
	if err != nil {
		return err
	}
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(strings.ReplaceAll(text, "SELF", strconv.Itoa(os.Getpid()))))
	return err
}

// alive MILLISECONDS FILE: say WATCHDOG=1 that often, until the file is there.
func alive(args []string) error {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	go func() { // ends with the process
		for {
			if _, err := os.Stat(args[1]); err == nil {
				return
			}
			if err := notify([]string{"WATCHDOG=1"}); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
	}()
	return nil
}

// serve ADDRESS FILE: answer HTTP requests as the file says at that time: "hang", or a status and a body
// ("503 not yet"). It is 200 if there is no such file.
func serve(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	go serveOn(l, args[1])
	return nil
}

// serve-tls ADDRESS FILE CERT KEY CA: the same, for clients with a certificate of that CA; of any if CA is "-".
func serveTLS(args []string) error {
	cert, err := tls.LoadX509KeyPair(args[2], args[3])
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	if args[4] != "-" {
		pem, err := os.ReadFile(args[4])
		if err != nil {
			return err
		}
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(pem)
	}
	l, err := tls.Listen("tcp", args[0], config)
	if err != nil {
		return err
	}
	go serveOn(l, args[1])
	return nil
}

func serveOn(l net.Listener, file string) { // ends with the process
	fmt.Fprintln(os.Stderr, http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := os.ReadFile(file)
		if err != nil {
			answer = []byte("200 ok")
		}
		status, body, _ := strings.Cut(strings.TrimSpace(string(answer)), " ")
		if status == "hang" {
			<-r.Context().Done()
			return
		}
		code, _ := strconv.Atoi(status)
		w.WriteHeader(code)
		fmt.Fprintln(w, body)
	})))
}
