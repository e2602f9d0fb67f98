package ops

import (
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

func words(t *testing.T, s ...string) *tensor.Tensor { return of(t, s, len(s)) }

func TestStringNormalizer(t *testing.T) {
	x := words(t, "Monday", "tuesday", "MONDAY", "É")
	stop := []string{"monday"}
	wantTensor(t, runOp(t, "StringNormalizer", 10, attrs{"case_change_action": "UPPER", "stopwords": stop}, x), words(t, "TUESDAY", "É"))
	wantTensor(t, runOp(t, "StringNormalizer", 10, attrs{"case_change_action": "LOWER", "stopwords": stop, "is_case_sensitive": 1}, x), words(t, "monday", "tuesday", "monday", "é"))
	wantTensor(t, runOp(t, "StringNormalizer", 10, nil, x), x)
	wantTensor(t, runOp(t, "StringNormalizer", 10, attrs{"stopwords": stop}, of(t, []string{"Monday"}, 1, 1)), of(t, []string{""}, 1, 1))
	wantTensor(t, runOp(t, "StringNormalizer", 10, attrs{"case_change_action": "LOWER", "locale": "tr_TR"}, words(t, "I")), words(t, "ı"))
	wantErr(t, "want [C] or [1 C]", "StringNormalizer", 10, nil, of(t, []string{"a", "b"}, 2, 1))
}

func TestStringConcat(t *testing.T) {
	a := of(t, []string{"a", "b"}, 2, 1)
	wantTensor(t, runOp(t, "StringConcat", 20, nil, a, words(t, "x", "y", "z")), of(t, []string{"ax", "ay", "az", "bx", "by", "bz"}, 2, 3))
	wantTensor(t, runOp(t, "StringConcat", 20, nil, of(t, []string{"é"}), of(t, []string{""})), of(t, []string{"é"}))
	wantErr(t, "cannot broadcast", "StringConcat", 20, nil, words(t, "a", "b"), words(t, "a", "b", "c"))
}

func TestStringSplit(t *testing.T) {
	for _, c := range []struct {
		at   attrs
		in   []string
		want []string
		n    []int64
	}{
		{nil, []string{" a  b ", "", "c"}, []string{"a", "b", "", "", "c", ""}, []int64{2, 0, 1}},
		{attrs{"delimiter": "-"}, []string{"a-b-", "c"}, []string{"a", "b", "", "c", "", ""}, []int64{3, 1}},
		{attrs{"delimiter": "--", "maxsplit": 1}, []string{"a--b--c"}, []string{"a", "b--c"}, []int64{2}},
		{attrs{"maxsplit": 1}, []string{" a  b c "}, []string{"a", "b c "}, []int64{2}},
		{attrs{"maxsplit": 0}, []string{"a b"}, []string{"a b"}, []int64{1}},
	} {
		out, err := tryOp(t, "StringSplit", 20, c.at, 2, words(t, c.in...))
		if err != nil {
			t.Fatal(err)
		}
		wantTensor(t, out[0], of(t, c.want, len(c.in), len(c.want)/len(c.in)))
		wantTensor(t, out[1], indices(t, c.n...))
	}
}

func TestRegexFullMatch(t *testing.T) {
	x := words(t, "www.a.com", "www.a.comx", "a\nb", "")
	wantTensor(t, runOp(t, "RegexFullMatch", 20, attrs{"pattern": `www\.[a-z]+\.com|b?`}, x), of(t, []bool{true, false, false, true}))
	wantErr(t, "attribute pattern", "RegexFullMatch", 20, attrs{"pattern": "("}, x)
}

func TestTfIdfVectorizer(t *testing.T) {
	at := func(mode string, shortest, longest, skips int) attrs {
		return attrs{"mode": mode, "min_gram_length": shortest, "max_gram_length": longest, "max_skip_count": skips,
			"ngram_counts": []int{0, 4}, "ngram_indexes": []int{0, 1, 2, 3, 4, 5, 6}, "pool_int64s": []int{2, 3, 5, 4, 5, 6, 7, 8, 6, 7}}
	}
	x := of(t, []int32{1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8}, 12)
	row := func(v ...float32) *tensor.Tensor { return of(t, v, len(v)) }
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, at("TF", 2, 2, 0), x), row(0, 0, 0, 0, 1, 1, 1))
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, at("TF", 1, 2, 0), x), row(0, 3, 1, 0, 1, 1, 1))
	// skips of up to five items
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, at("TF", 2, 2, 5), x), row(0, 0, 0, 0, 1, 3, 1))
	a := at("IDF", 1, 1, 0)
	a["weights"] = []float64{0.5, 0.25, 2, 3, 4, 5, 6}
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, a, x), row(0, 0.25, 2, 0, 0, 0, 0))
	a["mode"] = "TFIDF"
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, a, of(t, []int64{3, 3, 5, 2}, 2, 2)), of(t, []float32{0, 0.5, 0, 0, 0, 0, 0, 0.5, 0, 2, 0, 0, 0, 0}, 2, 7))
	s := attrs{"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0, "ngram_counts": []int{0},
		"ngram_indexes": []int{1, 0}, "pool_strings": []string{"a", "b"}}
	wantTensor(t, runOp(t, "TfIdfVectorizer", 9, s, words(t, "b", "c", "b", "a")), row(2, 1))
	a["weights"] = []float64{1}
	wantErr(t, "1 weights for 7 ngram_indexes", "TfIdfVectorizer", 9, a, x)
	s["ngram_counts"] = []int{0, 1}
	wantErr(t, "do not fit a pool of 2 items", "TfIdfVectorizer", 9, s, words(t, "a"))
}
