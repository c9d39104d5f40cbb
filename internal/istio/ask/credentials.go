package ask

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Credentials are those of the remote secrets of one cluster. They can be reviewed
// and tried by this package, and not be looked at by any other.
type Credentials struct {
	of map[facts.SecretKey]credential
}

// credential is what a kubeconfig authenticates with, and against which server: of
// everything in it the part that can neither run a program, nor read a file, nor
// choose a proxy.
type credential struct {
	server, serverName string
	ca                 []byte
	insecure           bool
	token              string
	certificate, key   []byte
	username, password string
	refused            string // why it is not used at all
}

// String hides what Credentials hold.
func (c Credentials) String() string { return "credentials" }

// GoString hides what Credentials hold.
func (c Credentials) GoString() string { return c.String() }

// MarshalJSON hides what Credentials hold.
func (c Credentials) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

// What hides all of them hides each.
func (c credential) String() string   { return "credential" }
func (c credential) GoString() string { return c.String() }

// ReadCredentials reads the remote secrets of the system namespace once more, for the
// credentials that were dropped when they were read before. It costs one request.
func ReadCredentials(ctx context.Context, cluster survey.Cluster) (*Credentials, error) {
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	out := &Credentials{of: map[facts.SecretKey]credential{}}
	labelled := metav1.ListOptions{LabelSelector: istio.MultiClusterLabel + "=true"}
	keep := func(s *corev1.Secret) *corev1.Secret {
		for id, kubeconfig := range s.Data {
			key := facts.SecretKey{Context: cluster.Context, Namespace: s.Namespace, Name: s.Name, ClusterID: id}
			if c, ok := newCredential(kubeconfig); ok {
				out.of[key] = c
			}
		}
		return &corev1.Secret{}
	}
	if _, err = survey.List[corev1.SecretList](ctx, a.Core, "secrets", cluster.Namespace, labelled, keep); err != nil {
		return nil, err
	}
	return out, nil
}

// newCredential takes out of a kubeconfig what is on the list of what may be used;
// ok is false where its current context leads nowhere.
func newCredential(kubeconfig []byte) (c credential, ok bool) {
	config, ok := resources.LoadKubeconfig(kubeconfig)
	if !ok {
		return credential{}, false
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil || config.Clusters[context.Cluster] == nil {
		return credential{}, false
	}
	cluster, user := config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo]
	c = credential{
		server:     cluster.Server,
		serverName: cluster.TLSServerName,
		ca:         cluster.CertificateAuthorityData,
		insecure:   cluster.InsecureSkipTLSVerify,
	}
	switch kind := resources.AuthKind(user); kind {
	case "token":
		c.token = user.Token
	case "client certificate":
		c.certificate, c.key = user.ClientCertificateData, user.ClientKeyData
	case "password":
		c.username, c.password = user.Username, user.Password
	case "none":
		c.refused = "the kubeconfig has no credential"
	default:
		c.refused = "a credential of kind " + kind + " is not used from here"
	}
	if user != nil && user.Impersonate != "" {
		c.refused = "the kubeconfig impersonates somebody, which is not done from here"
	}
	if cluster.ProxyURL != "" {
		c.refused = "the kubeconfig names a proxy, which is not used from here"
	}
	if cluster.CertificateAuthority != "" {
		c.refused = "the kubeconfig names a file, which is not read here"
	}
	return c, true
}

// ReviewTokens asks the API server of a cluster for its opinion of tokens, and holds its
// own certificate against the CA in the kubeconfigs. which are the entries that lead to
// this cluster: a token goes to no other. Their value says whether the address in the
// kubeconfig is that of the cluster's context, so that the certificate is the one that istiod sees.
// It costs one request for each token, all at once, on a new connection.
func ReviewTokens(
	ctx context.Context,
	cluster survey.Cluster,
	from []*Credentials,
	which map[facts.SecretKey]bool,
) (map[facts.SecretKey]facts.Review, error) {
	out := map[facts.SecretKey]facts.Review{}
	mine := map[facts.SecretKey]credential{}
	for _, c := range from {
		if c == nil {
			continue
		}
		for key, one := range c.of {
			if _, ok := which[key]; ok {
				mine[key] = one
			}
		}
	}
	if len(mine) == 0 {
		return out, nil
	}
	shown := &shown{}
	config := rest.CopyConfig(cluster.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return shown.over(next) })
	a, err := survey.Connect(config)
	if err != nil {
		return out, err
	}
	defer a.Close()
	var mu sync.Mutex
	r := survey.NewReader(ctx)
	for key, c := range mine {
		if c.token == "" {
			// Only to see the server's certificate.
			r.Go(func() {
				_, _ = survey.Get(ctx, a.Core, "namespaces", "", metav1.NamespaceSystem, kubernetes.TrimNamespace)
			})
			mu.Lock()
			out[key] = facts.Review{}
			mu.Unlock()
			continue
		}
		r.Go(func() {
			review := reviewToken(ctx, a, c.token)
			mu.Lock()
			defer mu.Unlock()
			out[key] = review
		})
	}
	r.Wait()
	chain := shown.chain()
	for key, c := range mine {
		review := out[key]
		if which[key] && len(chain) > 0 && len(c.ca) > 0 && !c.insecure {
			review.Chain = facts.Read[string]{State: facts.OK, Value: c.distrusts(chain)}
		}
		out[key] = review
	}
	return out, nil
}

func reviewToken(ctx context.Context, a *survey.API, token string) facts.Review {
	body := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	answer := &authenticationv1.TokenReview{}
	err := survey.Into(survey.Do(ctx, a.Authentication.Post().Resource("tokenreviews").Body(body)), answer)
	review := facts.Review{Token: survey.Outcome("", err)}
	if err != nil {
		return review
	}
	if answer.Status.Authenticated {
		review.Token.Value = resource.Clipped(answer.Status.User.Username)
		return review
	}
	review.Refused = "the API server does not accept it"
	if said := answer.Status.Error; said != "" && !strings.Contains(said, token) {
		review.Refused = resource.Clipped(said)
	}
	return review
}

// distrusts says why the certificate of a server is not signed by the CA of the
// kubeconfig for its address; "" where it is.
func (c credential) distrusts(chain []*x509.Certificate) string {
	name := c.serverName
	if name == "" {
		if u, err := url.Parse(c.server); err == nil {
			name = u.Hostname()
		}
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range resources.Certificates(c.ca) {
		roots.AddCert(ca)
	}
	for _, ca := range chain[1:] {
		intermediates.AddCert(ca)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: name})
	if err == nil {
		return ""
	}
	return resource.Clipped(err.Error())
}

// shown remembers the certificates of the server that answered.
type shown struct {
	mu    sync.Mutex
	state *tls.ConnectionState
}

func (s *shown) chain() []*x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return nil
	}
	return s.state.PeerCertificates
}

func (s *shown) over(next http.RoundTripper) http.RoundTripper { return &watched{next, s} }

// watched shows what the answers that go through it came over.
type watched struct {
	http.RoundTripper
	shown *shown
}

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(request)
	if err == nil && response.TLS != nil {
		w.shown.mu.Lock()
		w.shown.state = response.TLS
		w.shown.mu.Unlock()
	}
	return response, err
}

// WrappedRoundTripper is what client-go looks for beneath.
func (w *watched) WrappedRoundTripper() http.RoundTripper { return w.RoundTripper }
