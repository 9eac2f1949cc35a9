// Reads each body and responds with method and target: server PORT.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	handler := http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			http.Error(response, "body", http.StatusBadRequest)
			return
		}
		io.WriteString(response, request.Method+" "+request.RequestURI)
	})
	log.SetOutput(io.Discard)
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], handler))
}
