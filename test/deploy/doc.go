// Package deploy holds the files in deploy/ against what they are for: it reads them as strictly as those that
// take them, and runs their commands with the real binaries. All servers are on 127.0.0.1.
package deploy
