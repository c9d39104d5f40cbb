package bed

import (
	"cmp"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Context is a context of a kubeconfig. What it says beyond Name, Cluster and
// User replaces what would be true of them.
type Context struct {
	// Name is the name of the context; by default that of the cluster.
	Name string
	// Cluster is a cluster of the fleet. It may be empty if Server is given.
	Cluster string
	// User is one of the users of this package; by default Admin.
	User string
	// Namespace is the context's namespace, if any.
	Namespace string
	// Server is a URL to use instead of the API server's.
	Server string
	// CA is a bundle of certificates, in PEM, to use instead of the cluster's.
	CA []byte
	// Token is a token to use instead of the user's.
	Token string
	// Exec is a credential plugin to use instead of any token. Its API version
	// and interactive mode have defaults here.
	Exec *clientcmdapi.ExecConfig
}

// WriteKubeconfig writes a kubeconfig with these contexts, of which the first is
// the current one.
func (f *Fleet) WriteKubeconfig(path string, contexts []Context) error {
	config := clientcmdapi.NewConfig()
	for _, context := range contexts {
		if err := f.addContext(config, context); err != nil {
			return fmt.Errorf("kubeconfig %s: context %q: %w", path, context.Name, err)
		}
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}

// addContext adds a context with its cluster and user. Contexts that say the
// same of a cluster or a user share one entry.
func (f *Fleet) addContext(config *clientcmdapi.Config, context Context) error {
	name := cmp.Or(context.Name, context.Cluster)
	if name == "" {
		return fmt.Errorf("it has no name")
	}
	if config.Contexts[name] != nil {
		return fmt.Errorf("there are two of that name")
	}
	entry := clientcmdapi.NewContext()
	entry.Namespace = context.Namespace
	var err error
	if entry.Cluster, err = f.addCluster(config, name, context); err != nil {
		return err
	}
	if entry.AuthInfo, err = f.addUser(config, name, context); err != nil {
		return err
	}
	config.Contexts[name] = entry
	config.CurrentContext = cmp.Or(config.CurrentContext, name)
	return nil
}

// addCluster adds the cluster of a context and returns its entry's name.
func (f *Fleet) addCluster(config *clientcmdapi.Config, contextName string, context Context) (string, error) {
	entry := clientcmdapi.NewCluster()
	name := context.Cluster
	switch {
	case context.Cluster != "":
		cluster := f.Cluster(context.Cluster)
		if cluster == nil {
			return "", fmt.Errorf("the fleet has no cluster %q", context.Cluster)
		}
		entry.Server, entry.CertificateAuthorityData = cluster.URL(), cluster.CA()
	case context.Server == "":
		return "", fmt.Errorf("it has neither a cluster nor a server")
	}
	if context.Server != "" || context.CA != nil {
		name = "of-" + contextName
	}
	entry.Server = cmp.Or(context.Server, entry.Server)
	if context.CA != nil {
		entry.CertificateAuthorityData = context.CA
	}
	config.Clusters[name] = entry
	return name, nil
}

// addUser adds the user of a context and returns its entry's name.
func (f *Fleet) addUser(config *clientcmdapi.Config, contextName string, context Context) (string, error) {
	user := cmp.Or(context.User, Admin)
	token, known := f.tokens[user]
	if !known {
		return "", fmt.Errorf("there is no user %q", user)
	}
	entry := clientcmdapi.NewAuthInfo()
	name := user
	switch {
	case context.Exec != nil:
		name = user + "-of-" + contextName
		entry.Exec = context.Exec.DeepCopy()
		entry.Exec.APIVersion = cmp.Or(entry.Exec.APIVersion, "client.authentication.k8s.io/v1")
		entry.Exec.InteractiveMode = cmp.Or(entry.Exec.InteractiveMode, clientcmdapi.NeverExecInteractiveMode)
	case context.Token != "":
		name = user + "-of-" + contextName
		entry.Token = context.Token
	default:
		entry.Token = token
	}
	config.AuthInfos[name] = entry
	return name, nil
}
