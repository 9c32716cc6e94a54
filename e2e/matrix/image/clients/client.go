// Go's net/http as it comes: GET with a bearer token, the answer's head and body printed.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	request, err := http.NewRequest("GET", os.Args[1], nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("MATRIX_TOKEN"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Proto, answer.StatusCode)
	for name, values := range answer.Header {
		fmt.Println(name, values)
	}
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		panic(err)
	}
}
