#!/usr/bin/env bash
# Prints a kubeconfig with which the ServiceAccount of reader.yaml reads the clusters of some contexts:
#
#   ./kubeconfig.sh east west > fleet.kubeconfig
#
# It has tokens in it: whoever has it may read what reader.yaml lets read.
set -euo pipefail
umask 077
[ $# -gt 0 ] || { echo "Usage: $0 CONTEXT..." >&2; exit 2; }

# quoted is a text as YAML takes any.
quote="'"
quoted() { printf "'%s'" "${1//$quote/$quote$quote}"; }

clusters='' users='' contexts=''
for context; do
	of() { kubectl config view --raw --minify --flatten --context="$context" -o jsonpath="{.clusters[0].cluster.$1}"; }
	server=$(of server) authority=$(of certificate-authority-data) name=$(quoted "$context")
	token=$(kubectl --context="$context" -n mesh-check get secret mesh-check-token -o 'go-template={{.data.token | base64decode}}')
	[ -n "$token" ] || { echo "The secret mesh-check-token of $context has no token: kubectl apply -f reader.yaml" >&2; exit 1; }
	clusters+="- name: $name"$'\n'"  cluster: {server: $(quoted "$server")${authority:+, certificate-authority-data: $authority}}"$'\n'
	users+="- name: $name"$'\n'"  user: {token: $token}"$'\n'
	contexts+="- name: $name"$'\n'"  context: {cluster: $name, user: $name}"$'\n'
done
printf 'apiVersion: v1\nkind: Config\nclusters:\n%susers:\n%scontexts:\n%scurrent-context: %s\n' \
	"$clusters" "$users" "$contexts" "$(quoted "$1")"
