host=$1 port=$2 sni=$3 alpn=$4 wait=$5
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
have() { command -v "$1" >/dev/null 2>&1; }
limit() {
  if have timeout; then timeout "$wait" "$@"; return; fi
  "$@" & run=$!
  (sleep "$wait"; kill "$run") >/dev/null 2>&1 & watch=$!
  wait "$run"; ended=$?
  kill "$watch" 2>/dev/null
  return $ended
}
case $host in *:*) at="[$host]:$port" ;; *) at="$host:$port" ;; esac
if [ -n "$alpn" ] && have openssl; then
  echo "tool openssl"
  set -- -connect "$at" -showcerts
  if [ -n "$sni" ]; then
    said=$(limit openssl s_client "$@" -alpn "$alpn" -servername "$sni" </dev/null 2>&1); ended=$?
  else
    said=$(limit openssl s_client "$@" -alpn "$alpn" -noservername </dev/null 2>&1); ended=$?
  fi
  printf '%s\n' "$said"
  case $said in
  *"BEGIN CERT"*) ;;
  *alert*) echo "without protocol"; limit openssl s_client "$@" </dev/null 2>&1 ;;
  esac
  echo "ended $ended"
elif have curl; then
  echo "tool curl"
  if [ "$alpn" = h2 ] && [ -n "$sni" ]; then
    curl -svk --max-time "$wait" -o /dev/null -w '%{certs}' --connect-to "::$at" "https://$sni:$port/" </dev/null 2>&1
  elif [ "$alpn" = h2 ]; then
    curl -svk --max-time "$wait" -o /dev/null -w '%{certs}' "https://$at/" </dev/null 2>&1
  elif [ -n "$sni" ]; then
    limit curl -svk -o /dev/null --connect-to "::$at" "https://$sni:$port/" </dev/null 2>&1
  elif [ -n "$alpn" ]; then
    limit curl -svk -o /dev/null "https://$at/" </dev/null 2>&1
  else
    limit curl -sv -o /dev/null "http://$at/" </dev/null 2>&1
  fi
  echo "ended $?"
elif have bash; then
  echo "tool bash"
  limit bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" </dev/null 2>&1
  echo "ended $?"
elif have nc; then
  echo "tool nc"
  limit nc -z -v -w "$wait" "$host" "$port" </dev/null 2>&1
  echo "ended $?"
elif have wget; then
  echo "tool wget"
  limit wget -T "$wait" -O /dev/null "http://$at/" </dev/null 2>&1
  echo "ended $?"
else
  echo "tool none"
fi
