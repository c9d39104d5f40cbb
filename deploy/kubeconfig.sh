#!/usr/bin/env bash
# Prints a kubeconfig with which the ServiceAccount of reader.yaml reads the clusters of some contexts:
#
#   ./kubeconfig.sh east west > fleet.kubeconfig
#
# The contexts have the names that they have for you. It has tokens in it: whoever has it may read what reader.yaml
# lets read.
set -euo pipefail
[ $# -gt 0 ] || { echo "Usage: $0 CONTEXT..." >&2; exit 2; }

# quoted is a text as YAML takes any.
quote="'"
quoted() { printf "'%s'" "${1//$quote/$quote$quote}"; }

clusters='' users='' contexts=''
for context; do
	name=$(quoted "$context")
	cluster=$(kubectl config view --raw --minify --flatten --context="$context" -o jsonpath='{.clusters[0].cluster}') # JSON
	token=$(kubectl --context="$context" -n mesh-check get secret mesh-check-token -o 'go-template={{.data.token | base64decode}}')
	if [ -z "$token" ]; then
		echo "The Secret mesh-check-token of $context has no token: kubectl --context=$context apply -f reader.yaml" >&2
		exit 1
	fi
	clusters+="- {name: $name, cluster: $cluster}"$'\n'
	users+="- {name: $name, user: {token: $token}}"$'\n'
	contexts+="- {name: $name, context: {cluster: $name, user: $name}}"$'\n'
done
printf 'apiVersion: v1\nkind: Config\nclusters:\n%susers:\n%scontexts:\n%scurrent-context: %s\n' \
	"$clusters" "$users" "$contexts" "$(quoted "$1")"
