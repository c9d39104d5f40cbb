package serverurl

import "testing"

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://East.example:443/", "https://east.example", true},
		{"https://east.example.", "east.example", true},
		{"http://east.example:80", "http://east.example", true},
		{"https://[::1]:6443", "https://[0:0::1]:6443", true},
		{"https://proxy/k8s/clusters/c-1/", "https://proxy/k8s/clusters/c-1", true},
		{"https://proxy/k8s/clusters/c-1", "https://proxy/k8s/clusters/c-2", false},
		{"https://east.example:6443", "https://east.example", false},
		{"http://east.example:443", "https://east.example", false},
		{"", "", false},
		{"https://", "https://", false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestShownHasNoCredentials(t *testing.T) {
	for in, want := range map[string]string{
		"https://127.0.0.1:6443":                  "https://127.0.0.1:6443",
		"https://user:password@east.example/path": "https://east.example/path",
		"https://east.example/?token=secret#x":    "https://east.example/",
		"https://user:pa%ssword@east.example":     "",
		"127.0.0.1:80":                            "127.0.0.1:80",
		"east.example":                            "east.example",
		"user:password@east.example:6443/path":    "east.example:6443/path",
		"//user:password@east.example":            "//east.example",
		"https:user:password@east.example":        "east.example",
		"https:/user:password@east.example":       "",
		"https:///user:password@east.example":     "",
		"https://east.example/clusters/a@b":       "https://east.example/clusters/a@b",
		"":                                        "",
	} {
		if got := Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
	}
}
