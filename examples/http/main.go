// HTTP classifies handwritten digits for whoever posts one: an array of 64 numbers from 0 (paper) to 1 (ink), 8 rows of
// 8. One session serves all requests at the same time; a client that goes away cancels its run.
//
//	go run ./examples/http &
//	curl -d '[0,0,0.3,0.8,0.6,0,0,0, ...]' localhost:8080/digit
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/models/digits"
	"github.com/qrun-onnx/qrun/tensor"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to listen on")
	flag.Parse()
	h, err := newHandler()
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: *addr, Handler: h, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// handler serves one session.
type handler struct{ session *qrun.Session }

func newHandler() (http.Handler, error) {
	s, err := qrun.Load(digits.Attention(), &qrun.Options{Quantize: qrun.Dynamic})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /digit", handler{s})
	return mux, nil
}

// answer is the digit with the largest score, and all scores.
type answer struct {
	Digit  int       `json:"digit"`
	Scores []float32 `json:"scores"`
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var pixels []float32
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&pixels); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a, err := h.classify(r, pixels)
	var wrong *qrun.InputError
	switch {
	case errors.As(err, &wrong):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case r.Context().Err() != nil:
		return // nobody waits for the answer
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a); err != nil {
		log.Print(err)
	}
}

func (h handler) classify(r *http.Request, pixels []float32) (*answer, error) {
	image, err := tensor.Of(pixels, 1, len(pixels))
	if err != nil {
		return nil, err
	}
	out, err := h.session.Run(r.Context(), qrun.Tensors{"image": image})
	if err != nil {
		return nil, err
	}
	scores, err := tensor.Data[float32](out["logits"])
	if err != nil {
		return nil, err
	}
	a := &answer{Scores: scores}
	for i, s := range scores {
		if s > scores[a.Digit] {
			a.Digit = i
		}
	}
	return a, nil
}
