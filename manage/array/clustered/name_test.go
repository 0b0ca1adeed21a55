package clustered

import (
	"strings"
	"testing"
)

func TestNameFrom(t *testing.T) {
	for conf, want := range map[string]string{
		"": "",
		"totem {\n\tversion: 2\n\tcluster_name: lab\n}\n":                                   "lab",
		"# totem {\nlogging {\n cluster_name: no\n}\ntotem {\n # cluster_name: no\n}\n":     "",
		"totem {\n interface {\n  cluster_name: no\n }\n cluster_name :  my-cluster  \n}\n": "my-cluster",
		"}\n}\ntotem {\ncluster_name: x\n":                                                  "x",
	} {
		if got := nameFrom(strings.NewReader(conf)); got != want {
			t.Errorf("%q: %q, want %q", conf, got, want)
		}
	}
}

func TestResource(t *testing.T) {
	if got := resource("lab"); got != "bitmaplab" {
		t.Error(got)
	}
	if got := resource(strings.Repeat("x", 64)); len(got) != 63 {
		t.Errorf("%d bytes", len(got))
	}
}
