package certs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// only is the one finding of a fleet with a code.
func only(t *testing.T, fleet *facts.Fleet, code finding.Code) finding.Finding {
	t.Helper()
	result := run(t, fleet, Options{ExpiryWarn: DefaultExpiryWarn})
	i := slices.IndexFunc(result.Findings, func(f finding.Finding) bool { return f.Code == code })
	if i < 0 {
		t.Fatalf("no %s: %v", code, istiotest.Summarize(result))
	}
	return result.Findings[i]
}

func printed(f finding.Finding) []string {
	var out []string
	for _, c := range finding.Commands(f.Fix) {
		out = append(out, c.String())
	}
	return out
}

// strangers are two clusters with plugged-in CAs of two roots.
func strangers() *istiotest.Fleet {
	f := istiotest.Healthy("east", "west")
	f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	return f
}

func TestTrustAllIsPlainCommands(t *testing.T) {
	f := only(t, strangers().Facts(), "CERT002")
	get := ` -n istio-system get configmap istio-ca-root-cert -o 'go-template={{index .data "root-cert.pem"}}{{"\n"}}' `
	patch := func(context string) string {
		return "kubectl --context=" + context + " -n istio-system create secret generic cacerts --from-file=root-cert.pem=roots.pem " +
			"--dry-run=client -o yaml | kubectl --context=" + context + " -n istio-system patch secret cacerts --patch-file=/dev/stdin"
	}
	want := []string{
		"kubectl --context=east" + get + "> roots.pem",
		"kubectl --context=west" + get + ">> roots.pem",
		patch("east"), "kubectl --context=east -n istio-system rollout restart deployment/istiod",
		patch("west"), "kubectl --context=west -n istio-system rollout restart deployment/istiod",
	}
	if diff := cmp.Diff(want, printed(f)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// A cluster whose istiod would not come back is to be fixed before it gets the roots.
func TestTrustAllNamesWhatComesFirst(t *testing.T) {
	f := strangers()
	west := f.Get("west")
	west.CACerts["ca-key.pem"] = istiotest.Root(istiotest.Spec{}).KeyPEM()
	for _, step := range only(t, f.Facts(), "CERT002").Fix {
		for _, c := range step.Run {
			if c.Into == "" && strings.Contains(step.Say, "In west, fix CERT007 first") != (c.Context() == "west") {
				t.Errorf("%q before %s", step.Say, c)
			}
		}
	}
}

func TestRestartNamesTheIstiodsThatRun(t *testing.T) {
	fleet := strangers()
	for _, c := range fleet.Clusters {
		c.Revision, c.Mesh = "stable", map[string]map[string]any{"istio-stable": {"trustDomain": "cluster.local"}}
	}
	for _, c := range finding.Commands(only(t, fleet.Facts(), "CERT002").Fix) {
		if slices.Contains(c.Args, "restart") && !slices.Contains(c.Args, "deployment/istiod-stable") {
			t.Errorf("restarts another Deployment than that which runs: %s", c)
		}
	}

	i := slices.IndexFunc(istiotest.Faults, func(c istiotest.Case) bool { return c.Name == "no root published at all" })
	fleet = istiotest.Faults[i].Fleet()
	for _, c := range fleet.Clusters {
		c.Revision, c.Mesh = "stable", map[string]map[string]any{"istio-stable": {"trustDomain": "cluster.local"}}
	}
	for _, c := range finding.Commands(only(t, fleet.Facts(), "CERT014").Fix) {
		if !slices.Contains(c.Args, "deployment/istiod-stable") {
			t.Errorf("names another Deployment than that which runs: %s", c)
		}
	}
}

// Where it is known that there is no istiod, there is nothing to restart.
func TestRestartWithoutIstiod(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	f.Get("west").NoControlPlane(f.Get("east"))
	f.Get("west").PublishedIn["sample"] = istiotest.Root(istiotest.Spec{}).PEM()
	found := only(t, f.Facts(), "CERT014")
	says := found.Fix[len(found.Fix)-1].Say
	if len(finding.Commands(found.Fix)) > 0 || says != "Restart the istiod that manages west. None runs in its namespace istio-system." {
		t.Errorf("%+v", found.Fix)
	}
	unread := &authority{Cluster: resources.Istiods.With(
		&facts.Cluster{Context: "west"},
		facts.Read[[]appsv1.Deployment]{State: facts.Forbidden},
	)}
	if step := restart(unread, "Restart istiod:"); len(step.Run) > 0 || step.Say != "Restart the istiod of west, if there is one." {
		t.Errorf("where it is not known: %+v", step)
	}
}

// The index of a dump can name an object whose file is missing.
func TestAnObjectWithoutAFileIsNotRead(t *testing.T) {
	f := istiotest.Healthy("east", "west").Facts()
	west := &f.Clusters[1]
	resources.CACerts.Set(west, facts.Read[*corev1.Secret]{State: facts.OK})
	resources.CASecret.Set(west, facts.Read[*corev1.Secret]{State: facts.OK})
	resources.RootCert.Set(west, facts.Read[*corev1.ConfigMap]{State: facts.OK})
	mesh := model.New(f, model.Options{}) // which reads the review
	resources.ReaderAccess.Set(west, facts.Read[*authorizationv1.SubjectAccessReview]{State: facts.OK})
	r := rule.Run(mesh, Rules(), rule.Options{Violated: func(s string) { t.Error(s) }})
	if len(r.Findings) > 0 {
		t.Errorf("findings: %v", istiotest.Summarize(r))
	}
	want := []finding.Reason{
		{Kind: finding.Failed, Text: "access of system:serviceaccount:istio-system:istio-reader-service-account: the file is missing"},
		{Kind: finding.Failed, Text: "configmap istio-ca-root-cert: the file is missing"},
		{Kind: finding.Failed, Text: "secret cacerts: the file is missing"},
		{Kind: finding.Failed, Text: "secret cacerts: the file is missing; only the published roots were checked"},
	}
	var got []finding.Reason
	for _, u := range r.Unknowns {
		got = append(got, u.Reason)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if gaps := List(f).Gaps; len(gaps) != 3 || gaps[0].Reason != "the file is missing" {
		t.Errorf("gaps: %+v", gaps)
	}
	if c := Compare(f).Clusters[1]; c.Unknown != "configmap istio-ca-root-cert: the file is missing" {
		t.Errorf("roots of west: %+v", c)
	}
	if _, known := Roots(f)["west"]; known {
		t.Error("the roots of west are known")
	}
}

// Reasons keep their kind, whatever they are about.
func TestReasonsKeepTheirKind(t *testing.T) {
	for state, want := range map[facts.State]finding.ReasonKind{
		facts.NotAsked: finding.NotRead, facts.Forbidden: finding.Forbidden, facts.Failed: finding.Failed,
	} {
		f := istiotest.Healthy("east", "west").Facts()
		c := &f.Clusters[1]
		forbidSecrets(c)
		resources.CACerts.Edit(c).State = state
		resources.CASecret.Edit(c).State = state
		resources.RemoteSecrets.Edit(c).State = state
		resources.RootCert.Set(c, facts.Read[*corev1.ConfigMap]{State: state})
		resources.RootCerts.Set(c, facts.Read[[]corev1.ConfigMap]{State: state})
		resources.MeshConfigs.Set(c, facts.Read[[]corev1.ConfigMap]{State: state})
		for _, u := range run(t, f, Options{ExpiryWarn: DefaultExpiryWarn}).Unknowns {
			if u.Cluster == "west" && u.Reason.Kind != want {
				t.Errorf("%q: %+v", state, u)
			}
		}
	}
}

// Names of a dump are anybody's: none becomes a flag, a setting or a command.
func TestHostileNames(t *testing.T) {
	m := &authority{Cluster: &facts.Cluster{Context: "--context=other; id"}, istiods: []istio.Istiod{{Namespace: "-A", Name: "--all $(id)"}}}
	want := `kubectl '--context=--context=other; id' -n -A rollout restart 'deployment/--all $(id)'`
	if got := remedy.RestartIstiods(m.Context, m.istiods)[0].String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	steps := m.renewProxies([]istio.WorkloadRef{{Kind: "--all", Namespace: "n", Name: "a"}, {Kind: "pod", Namespace: "n", Name: "--all"}})
	var commands []string
	for _, c := range finding.Commands(steps) {
		commands = append(commands, c.String())
	}
	if diff := cmp.Diff([]string{`kubectl '--context=--context=other; id' -n n delete pod/--all`}, commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(steps[len(steps)-1].Say, "Careful: ") {
		t.Errorf("no warning: %+v", steps)
	}
}
