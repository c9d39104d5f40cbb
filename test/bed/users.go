package bed

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
)

// The users of every cluster. Their tokens differ from fleet to fleet.
const (
	// Admin may do everything.
	Admin = "admin"
	// Viewer may get, list and watch everything but secrets, and may not act
	// through what it sees: no exec, attach, port-forward or proxy. Like every
	// authenticated user it may ask for its own rights, but not for those of
	// others.
	Viewer = "viewer"
	// Nobody is authenticated and has no more rights than Kubernetes gives
	// everybody: discovery, and to ask for its own rights.
	Nobody = "nobody"
)

// newTokens makes a token for each user.
func newTokens() map[string]string {
	tokens := map[string]string{}
	for _, user := range []string{Admin, Viewer, Nobody} {
		tokens[user] = rand.Text()
	}
	return tokens
}

// writeTokenFile writes the users as kube-apiserver's --token-auth-file.
func writeTokenFile(path string, tokens map[string]string) error {
	var lines strings.Builder
	for user, token := range tokens {
		fmt.Fprintf(&lines, "%s,%s,%s", token, user, user)
		if user == Admin {
			lines.WriteString(",system:masters")
		}
		lines.WriteString("\n")
	}
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("write the users' tokens: %w", err)
	}
	return nil
}
