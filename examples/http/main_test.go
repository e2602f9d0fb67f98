package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/qrun-onnx/qrun/models/digits"
	"github.com/qrun-onnx/qrun/tensor"
)

func post(t *testing.T, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/digit", strings.NewReader(body)))
	return w
}

func body(t *testing.T, i int) string {
	images, err := digits.Images()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tensor.View[float32](images)[64*i : 64*i+64])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestConcurrentRequests(t *testing.T) {
	h, err := newHandler()
	if err != nil {
		t.Fatal(err)
	}
	labels, err := digits.Labels()
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	bodies, first := make([]string, n), make([][]byte, n)
	right := 0
	for i := range n {
		bodies[i] = body(t, i)
		w := post(t, h, bodies[i])
		if w.Code != http.StatusOK {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		first[i] = w.Body.Bytes()
		var a answer
		if err := json.Unmarshal(first[i], &a); err != nil || len(a.Scores) != 10 {
			t.Fatalf("%s: %v", first[i], err)
		}
		if a.Digit == int(labels[i]) {
			right++
		}
	}
	if right < n-2 {
		t.Errorf("%d of %d digits are right", right, n)
	}
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range n {
				k := (i + 3*c) % n
				if w := post(t, h, bodies[k]); !bytes.Equal(w.Body.Bytes(), first[k]) {
					t.Errorf("client %d, digit %d: %s, want %s", c, k, w.Body, first[k])
				}
			}
		})
	}
	clients.Wait()
}

func TestRefusals(t *testing.T) {
	h, err := newHandler()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		body, want string
	}{
		{"[1, 2, 3]", `input "image" wants float32[batch 64], got float32[1 3]`},
		{"[]", `input "image" wants float32[batch 64], got float32[1 0]`},
		{"pixels", "invalid character"},
		{"[" + strings.Repeat("0,", 1<<17), "too large"},
	} {
		w := post(t, h, test.body)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%.20q: status %d, %q; want %q", test.body, w.Code, w.Body, test.want)
		}
	}
}

func TestClientGone(t *testing.T) {
	h, err := newHandler()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/digit", strings.NewReader(body(t, 0))).WithContext(ctx))
	if w.Body.Len() != 0 {
		t.Errorf("answered %q to nobody", w.Body)
	}
}
