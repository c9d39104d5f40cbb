package istiotest

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// FixExceptions are all fixes whose commands do not pass the tests of fixes by themselves, and why that is right.
var FixExceptions = []simulatetest.Exception{
	{Code: "CERT004", Added: []finding.Code{"CERT002", "CERT037"}, Why: "a person first gives every cluster both roots; istiod writes the CA into its webhooks when it starts"},
	{Code: "CERT016", Left: true, Why: "a person first lets proxies take the roots, in the mesh config"},
	{Code: "NET006", Added: []finding.Code{"GW001", "NET013"}, Left: true, Why: "a person first sets the network in the values of istiod's installation"},
	{Code: "NET007", Added: []finding.Code{"NET002", "NET006"}, Left: true, Why: "a person installs gateways, and sets the networks in the values of the installations"},
	{Code: "PR010", Left: true, Why: "a person first creates the Service, or corrects the address in the values of the installation"},
	{Code: "SEC008", Left: true, Why: "a Secret of another name, which istiod cannot use, stays next to the new one until a person deletes it"},
	{Code: "GW039", Left: true, Why: "istiod takes the label from the waypoint's Service when it is gone from the Gateway"},
	{Code: "EP038", Left: true, Why: "a person gives the other network a gateway for ambient proxies, or takes the variable away everywhere"},
	{Code: "NET002", Left: true, Why: "a person sets the network in the values of the installation"},
	{Code: "EP051", Added: []finding.Code{"EP036", "EP037"}, Why: "what one cluster has and the other is given is wrong in the one as well"},
	{Code: "EP052", Added: []finding.Code{"EP018"}, Why: "the same rule is changed in one cluster after the other"},
	{Code: "EP054", Added: []finding.Code{"EP018"}, Why: "the same rule is changed in one cluster after the other"},
	{Code: "SEC018", Added: []finding.Code{"NET040"}, Why: "the release has that bug as well"},
	{Code: "CERT037", Left: true, Why: "istiod writes the CA into its webhooks when it starts"},
	{Code: "EP002", Added: []finding.Code{"EP007", "CP030"}, Why: "other workloads of the namespace are named once it is injected"},
	{Code: "CP034", Left: true, Why: "the event of the refusal stays until it is old"},
	{Code: "CP025", Left: true, Why: "a person first makes the ConfigMap; the event of the refusal stays until it is old"},
	{Code: "CP010", Left: true, Why: "which release the injector gives to new pods was not read"},
	{Code: "GW017", Left: true, Why: "gateways of one name in two clusters have a fix each"},
	{Code: "PR007", Added: []finding.Code{"PR004", "PR008"}, Why: "istiod writes its root and the CA bundle once it watches the cluster"},
	{Code: "SEC001", Added: []finding.Code{"SEC001", "SEC023", "PR004", "PR008"}, Left: true,
		Why: "other pairs lack remote secrets too; istiod writes its root and the CA bundle once it watches the cluster"},
	{Code: "SEC001", Added: []finding.Code{"EP030", "GW001", "SEC006", "CERT017"},
		Why: "where two meshes are joined on purpose, what both of them need shows only then"},
}

// StandIns are values for what a person fills in, of a range that is for documentation: a fix
// with another address of the kind does the same.
var StandIns = map[string]string{"ADDRESS": "192.0.2.10", "HOST": "192.0.2.11"}
