package browser

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/drawing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// payload runs where a page takes text for something else: in an element, in an attribute with either quote, in a style
// sheet, in a script, and as an address.
const payload = `javascript:window.PWNED=true//</title></style></script><script>window.PWNED=true</script>` +
	`<img src="x" onerror="window.PWNED=true"><svg onload='window.PWNED=true'>" autofocus onfocus="window.PWNED=true" x='` +
	`' onfocus='window.PWNED=true'><a href="javascript:window.PWNED=true">&lt;script&gt;%s{{.}}` + "\u202e\x1b[31m\u2028"

// fill puts a text into each string of a value, of which slices get an element.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[finding.Command]() {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), text)
			}
		}
	}
}

// hostile is a page in which everything that somebody may have named is a payload.
func hostile(t *testing.T) []byte {
	t.Helper()
	var p report.WebPage
	fill(reflect.ValueOf(&p).Elem(), payload)
	p.At, p.State, p.Picture.Style = time.Now(), verdict.Error, drawing.Style
	p.Short = strings.NewReplacer("nothing", payload)
	// Words of the program, which are never somebody's.
	p.Picture.Tones, p.Picture.Ways[0][0] = []finding.Severity{finding.Error}, string(view.RouteBroken)
	p.Areas[0].State, p.Areas[0].Area = verdict.Warning, finding.Trust
	findings := [][]finding.Finding{p.Result.Findings}
	for _, causes := range [][]verdict.Cause{p.Causes, p.Notes} {
		for i := range causes {
			causes[i].Severity, causes[i].Code = finding.Error, "CERT001"
			findings = append(findings, causes[i].Findings, causes[i].Caused)
		}
	}
	for _, some := range findings {
		for i := range some {
			for k := range some[i].Fix {
				some[i].Fix[k].Run = []finding.Command{finding.Shell("kubectl", payload)}
			}
		}
	}
	for i := range p.Result.Unknowns {
		p.Result.Unknowns[i].Reason.Kind = finding.Forbidden
	}
	p.Deeper = func(verdict.Cause) []finding.Command {
		return []finding.Command{finding.Kubectl(payload, "get", payload)}
	}
	names := []string{payload + "1", payload + "2"}
	p.Picture.SVG = drawing.Inline(picture(names))
	return wrote(t, p)
}

// picture is a map of clusters that are called so.
func picture(names []string) view.NetworkMap {
	m := view.NetworkMap{}
	for i, name := range names {
		m.Clusters = append(m.Clusters, view.MapCluster{Cluster: name, InMesh: true})
		m.Networks = append(m.Networks, view.MapNetwork{Network: name, Clusters: []string{name}, Gateways: []view.Gateway{{
			Cluster: name, Network: name, Object: finding.Named("service", name), Port: 15443, Status: name, Codes: []finding.Code{"GW010"},
			Addresses: []view.GatewayAddress{{Address: name}}, Severity: finding.Warning,
		}}})
		for k, to := range names {
			if to == name {
				continue
			}
			status := view.RouteStatuses[(i+k)%len(view.RouteStatuses)]
			r := view.Route{From: name, To: to, Via: view.ThroughGateway, Status: status}
			if status != view.RouteOK {
				r.Reason, r.Codes = name, []finding.Code{"GW010"}
			}
			m.Routes = append(m.Routes, r)
		}
	}
	return m
}

// many is a page of a large fleet with much to say: a grid, a cause of many findings, and certificates of every kind.
func many(t *testing.T) []byte {
	t.Helper()
	now := time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)
	p := report.WebPage{
		Command: "mesh-check", Version: "v1", At: now, State: verdict.Error, Last: "12 clusters: 1 cause of errors, every rule checked",
	}
	cause := verdict.Cause{Code: "GW002", Severity: finding.Error, Title: "the gateway has no external address: the load balancer is pending"}
	for i := range 12 {
		name := fmt.Sprintf("prod-europe-west-%d", i)
		p.Clusters = append(p.Clusters, name)
		cause.Clusters = append(cause.Clusters, name)
		f := finding.Finding{
			Code: "GW002", Severity: finding.Error, Clusters: []string{name}, Object: finding.In("service", "istio-system", "gateway"),
			Title: cause.Title, Effect: "clients time out", Evidence: []finding.Evidence{{Field: "status.loadBalancer.ingress", Value: "none"}},
			Fix: []finding.Step{finding.Say("Careful: this stops the gateway of %s.", name).By(finding.Kubectl(name, "delete", "pod", "gateway"))},
		}
		cause.Findings = append(cause.Findings, f)
		p.Certificates = append(p.Certificates, report.Validity{
			Subject: "CN=Intermediate CA " + name + ",O=Example", SHA256: "0123456789abcdef", Roles: []string{"signing"}, Clusters: []string{name},
			NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, i*i*i-20),
		})
	}
	p.Causes = []verdict.Cause{cause}
	m := picture(p.Clusters)
	p.Picture = report.Picture{SVG: drawing.Inline(m), Style: drawing.Style}
	p.Picture.Ways, p.Picture.Tones = drawing.Ways(m)
	return wrote(t, p)
}

func wrote(t *testing.T, p report.WebPage) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
