package fleet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

func TestSelectTakesNamesAndPatterns(t *testing.T) {
	file := writeConfig(t, "dev", names("dev", "prod-a", "prod-b", "prod-[a]", "arn:aws:eks:eu:1:cluster/x", "gke_p_z_c"))
	for name, tc := range map[string]struct {
		contexts []string
		want     []string
	}{
		"in the order given":                      {[]string{"prod-b", "dev"}, []string{"prod-b", "dev"}},
		"a pattern's matches sorted":              {[]string{"dev", "prod-?"}, []string{"dev", "prod-a", "prod-b"}},
		"once each":                               {[]string{"prod-b", "prod-*", "prod-a"}, []string{"prod-b", "prod-[a]", "prod-a"}},
		"a name with pattern characters is exact": {[]string{"prod-[a]"}, []string{"prod-[a]"}},
		"a class":                                 {[]string{"prod-[ab]"}, []string{"prod-a", "prod-b"}},
		"a slash is nothing special":              {[]string{"arn:*"}, []string{"arn:aws:eks:eu:1:cluster/x"}},
		"a pattern with a slash":                  {[]string{"arn:*/x"}, []string{"arn:aws:eks:eu:1:cluster/x"}},
		"everything":                              {[]string{"*"}, []string{"arn:aws:eks:eu:1:cluster/x", "dev", "gke_p_z_c", "prod-[a]", "prod-a", "prod-b"}},
		"spaces after commas":                     {[]string{"dev", " prod-a"}, []string{"dev", "prod-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			members, chosen, err := load(t, file, func(f *fleet.Flags) { f.Contexts = tc.contexts }).Select()
			if err != nil || !chosen {
				t.Fatalf("chosen %v, error %v", chosen, err)
			}
			if diff := cmp.Diff(tc.want, contextsOf(members)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if all, _, err := load(t, file, all).Select(); err != nil || len(all) != 6 {
		t.Errorf("--all-contexts: %d members, error %v", len(all), err)
	}
	if members, chosen, err := load(t, file, nil).Select(); members != nil || chosen || err != nil {
		t.Errorf("without flags: %v, %v, %v; want nothing chosen", members, chosen, err)
	}
}

func TestSelectSaysWhatIsWrongWithAName(t *testing.T) {
	file := writeConfig(t, "", names("prod-a", "prod-b", "prod-c", "prod-d", "prod-e", "prod-f", "staging"))
	for name, tc := range map[string]struct{ context, want string }{
		"a typo":                 {"stagign", `context "stagign" does not exist: did you mean "staging"?`},
		"another case":           {"Staging", `context "Staging" does not exist: did you mean "staging"?`},
		"a part of it":           {"stag", `context "stag" does not exist: did you mean "staging"?`},
		"many are near":          {"prod", `context "prod" does not exist: did you mean "prod-a", "prod-b", "prod-c", "prod-d", "prod-e"?`},
		"nothing is near":        {"europe", `context "europe" does not exist: the kubeconfig has 7 others, list them with kubectl config get-contexts`},
		"a pattern of nothing":   {"dev-*", `no context matches "dev-*": the kubeconfig has 7 others, list them with kubectl config get-contexts`},
		"a pattern that is none": {"prod-[", `--contexts "prod-[" is not a valid pattern: it knows *, ?, [a-z] and \ to quote`},
		"an empty name":          {" ", `--contexts has an empty name: give names separated by one comma each`},
		"control characters":     {"\x1bzzzzzzzz", `context "\x1bzzzzzzzz" does not exist: the kubeconfig has 7 others, list them with kubectl config get-contexts`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, file, func(f *fleet.Flags) { f.Contexts = []string{tc.context} }).Select()
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestCurrentIsTheFlagElseTheKubeconfigs(t *testing.T) {
	file := writeConfig(t, "b", names("a", "b"))
	for name, tc := range map[string]struct{ flag, want, err string }{
		"kubeconfig":       {"", "b", ""},
		"--context":        {"a", "a", ""},
		"unknown":          {"aa", "", `context "aa" does not exist: did you mean "a", "b"?`},
		"current-is-wrong": {"nowhere", "", `context "nowhere" does not exist: the kubeconfig has 2 others, list them with kubectl config get-contexts`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := load(t, file, func(f *fleet.Flags) { f.Context = tc.flag }).Current()
			if got := errText(err); m.Context != tc.want || got != tc.err {
				t.Errorf("got %q, error %q; want %q, error %q", m.Context, got, tc.want, tc.err)
			}
		})
	}
	_, err := load(t, writeConfig(t, "", names("a")), nil).Current()
	if want := "the kubeconfig has no current context: give --contexts, or choose one with kubectl config use-context"; errText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestReachingComparesServersByMeaning(t *testing.T) {
	k := load(t, writeConfig(t, "zz-current", map[string]entry{
		"admin@prod": {server: "https://PROD.example:443/"},
		"prod":       {server: "https://prod.example"},
		"qrod":       {server: "https://prod.example."},
		"rancher":    {server: "https://rancher.example/k8s/clusters/c-1/"},
		"a":          {server: "https://both.example:6443"},
		"zz-current": {server: "https://both.example:6443"},
		"six":        {server: "https://[2001:DB8:0::1]:6443"},
		"plain":      {server: "http://plain.example"},
		"broken":     {server: "https://%zz"},
	}), nil)
	got := map[string][]string{}
	servers := []string{"https://prod.example:443", "https://rancher.example/k8s/clusters/c-1", "https://rancher.example", "HTTPS://both.example:6443/",
		"https://[2001:db8::1]:6443", "plain.example:80", "http://plain.example:80", "https://nowhere.example", "", "https://%zz"}
	for i, r := range k.Reaching(servers) {
		if r.Server != servers[i] {
			t.Errorf("answer %d is about %q, want %q", i, r.Server, servers[i])
		}
		if len(r.Contexts) > 0 && r.Member.Context != r.Contexts[0] || len(r.Contexts) == 0 && r.Member.Context != "" {
			t.Errorf("member %q of %v", r.Member.Context, r.Contexts)
		}
		got[r.Server] = r.Contexts
	}
	want := map[string][]string{
		"https://prod.example:443":                 {"prod", "qrod", "admin@prod"},
		"https://rancher.example/k8s/clusters/c-1": {"rancher"},
		"https://rancher.example":                  nil,
		"HTTPS://both.example:6443/":               {"zz-current", "a"},
		"https://[2001:db8::1]:6443":               {"six"},
		"plain.example:80":                         nil, // without a scheme it is https
		"http://plain.example:80":                  {"plain"},
		"https://nowhere.example":                  nil,
		"":                                         nil,
		"https://%zz":                              nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func contextsOf(members []fleet.Member) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.Context)
	}
	return out
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
