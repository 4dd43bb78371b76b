// Command reader is an HTTP server on Go's own library that writes what it reads, one line of JSON for each request. It
// reads each message twice: into a map, and into a struct, which takes members whose names differ in case.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

type params struct {
	Name      any            `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

type message struct {
	ID     any    `json:"id"`
	Method string `json:"method"`
	Params params `json:"params"`
}

type read struct {
	Method   string                    `json:"method"`
	Target   string                    `json:"target"`
	Headers  [][2]string               `json:"headers"`
	Body     []byte                    `json:"body"`
	Messages map[string]map[string]any `json:"messages"`
}

// Numbers stay as they are spelled.
func decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	return decoder.Decode(into)
}

func strict(body []byte) map[string]any {
	var whole map[string]any
	if err := decode(body, &whole); err != nil {
		return map[string]any{"error": err.Error()}
	}
	inner, _ := whole["params"].(map[string]any)
	return map[string]any{"id": whole["id"], "method": whole["method"], "name": inner["name"], "arguments": inner["arguments"]}
}

func loose(body []byte) map[string]any {
	var whole message
	if err := decode(body, &whole); err != nil {
		return map[string]any{"error": err.Error()}
	}
	found := map[string]any{"id": whole.ID, "method": whole.Method, "name": whole.Params.Name, "arguments": nil}
	if whole.Params.Arguments != nil {
		found["arguments"] = whole.Params.Arguments
	}
	return found
}

func answer(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	headers := [][2]string{{"host", request.Host}}
	for name, values := range request.Header {
		for _, value := range values {
			headers = append(headers, [2]string{strings.ToLower(name), value})
		}
	}
	seen := read{request.Method, request.RequestURI, headers, body, map[string]map[string]any{}}
	if request.Method == http.MethodPost {
		seen.Messages = map[string]map[string]any{"strict": strict(body), "loose": loose(body)}
	}
	line, err := json.Marshal(seen)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
	switch request.Method {
	case http.MethodGet:
		writer.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(writer, ": nothing\n\n")
	case http.MethodDelete:
		writer.WriteHeader(http.StatusNoContent)
	default:
		id := seen.Messages["strict"]["id"]
		if id == nil {
			id = 1
		}
		writer.Header().Set("Content-Type", "application/json")
		json.NewEncoder(writer).Encode(map[string]any{"jsonrpc": "2.0", "id": id, "result": map[string]any{"content": []any{}}})
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on http://%s/inside/mcp\n", listener.Addr())
	http.Serve(listener, http.HandlerFunc(answer))
}
