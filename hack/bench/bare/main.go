// Command bare answers every request with the bytes of one file, with net/http and nothing else: what "make bench" holds a warm read
// of the registry against.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	file := flag.String("file", "", "file to serve")
	flag.Parse()
	body, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	header := map[string][]string{
		"Content-Type": {"application/vnd.npm.install-v1+json"}, "Content-Length": {strconv.Itoa(len(body))}, "Etag": {`"bare"`},
	}
	s := &http.Server{Addr: *listen, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	})}
	log.Fatal(s.ListenAndServe())
}
