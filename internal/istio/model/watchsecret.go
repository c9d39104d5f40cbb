package model

// Watch says how it stands with the cluster to which the remote secret leads.
func (r *RemoteSecret) Watch() Watch {
	w := Watch{From: r.In, To: r.To, Secret: r, Status: IsWatched, Replicas: r.Replicas()}
	if r.Ignored != nil {
		w.Status, w.Why = IsIgnored, SecretIgnored
		return w
	}
	w.Status, w.Why = r.flaw()
	if status, why := w.said(); w.Why == "" || w.Status == Impaired && status == Stale {
		w.Status = status
		if w.Why == "" {
			w.Why = why
		}
	}
	if w.Status == IsWatched && r.lacksGateways() {
		w.Status, w.Why = Impaired, GatewaysUntold
	}
	if w.Status == IsWatched {
		w.Remark = r.remark()
		w.Confirmed = r.Synced() || r.Accepted()
	}
	return w
}

// flaw is what is wrong with the remote secret itself, and what comes of it; the causes
// come before what they cause.
func (r *RemoteSecret) flaw() (WatchStatus, WatchReason) {
	switch r.Misnamed() {
	case OtherCluster:
		return Impaired, NamedAsAnother
	case RefusesProxies:
		return Impaired, ProxiesRefused
	case OtherName, SharedID: // istiod watches the cluster all the same
	}
	if kind, _ := r.Unreachable(); kind != "" {
		return Stale, AddressUnreachable
	}
	if len(r.Proxied().Shared) > 0 {
		return Stale, ThroughProxy
	}
	if u, _ := r.Untrusted(); u.Why != "" && !r.Access.Insecure {
		return Stale, ServerUntrusted
	}
	if problem := r.AccountProblem(); problem != "" && problem != TokenUnused {
		return Stale, AccountInvalid
	}
	if r.Refused() {
		return Stale, CredentialRefused
	}
	if len(r.Expired()) > 0 {
		return Stale, CredentialExpired
	}
	if r.LacksVital() {
		return Impaired, RightsMissing
	}
	if _, shows := r.ChangeMissed(); shows {
		return Stale, ChangeNotPickedUp
	}
	return IsWatched, ""
}

// said is what the replicas of istiod say, the first that does not follow the cluster.
func (w Watch) said() (WatchStatus, WatchReason) {
	status, why := IsWatched, WatchReason("")
	for _, said := range w.Replicas {
		fresh := false
		switch said.State {
		case Synced:
			if d := w.Secret.Drift(said.Pod); d.Any() && d.Twice && !d.CatchingUp {
				return Stale, EndpointsDiffer
			}
			continue
		case TimedOut:
			return Stale, SaysTimeout
		case Closed:
			return Stale, SaysClosed
		case Syncing:
			why, fresh = SaysSyncing, w.Secret.Fresh()
		case NotThere:
			why, fresh = SaysNothing, w.Secret.Fresh()
		default:
			continue // a state that this version does not know says nothing
		}
		if !fresh {
			return Stale, why
		}
		status, why = Unknown, JustChanged
	}
	return status, why
}

// lacksGateways reports whether a replica that watches the cluster does not tell ambient
// workloads of its gateways, at two looks.
func (r *RemoteSecret) lacksGateways() bool {
	if !r.In.TellsAmbientNetworks() {
		return false
	}
	for _, v := range r.In.IstiodReplicas() {
		if v.Known() && v.StateOf(r) == Synced {
			if untold, twice := r.Untold(v); twice && len(untold) > 0 {
				return true
			}
		}
	}
	return false
}

// remark is what is wrong with a remote secret by which a cluster is watched.
func (r *RemoteSecret) remark() WatchReason {
	missing, _ := r.MissingRights()
	changed, _ := r.ChangeMissed()
	switch {
	case r.Misnamed() == OtherName, r.Misnamed() == SharedID:
		return NamedDifferently
	case r.Proxied().Any():
		return ThroughProxy
	case r.Access.Insecure:
		return ServerUnchecked
	case r.AccountProblem() == TokenUnused, len(r.ExpiresSoon()) > 0:
		return CredentialExpiresSoon
	case len(missing) > 0:
		return RightsMissing
	case changed:
		return ChangeNotPickedUp
	}
	return ""
}
