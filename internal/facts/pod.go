package facts

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is what rules read of a pod. There can be tens of thousands of them, so it is much
// smaller than a corev1.Pod; a dump has it as one all the same.
type Pod struct {
	Name, Namespace string
	*PodTemplate
	Node    string
	Phase   corev1.PodPhase
	IPs     []string               // of each family one; the first is the pod's address
	Ready   corev1.ConditionStatus // of the condition of this name; "" where there is none
	Created time.Time
	Started time.Time // when the kubelet took it on; zero before
	Deleted time.Time // when it is to be gone; zero of one that stays
	// Statuses are those of the mesh's containers that have one, the native sidecars among
	// them; of a Job's pod that runs, those of all containers.
	Statuses []ContainerStatus
	// Unscheduled says that no node takes the pod; nil where one does, or was not looked for.
	Unscheduled *Unscheduled
}

// Unscheduled is that the scheduler finds no node for a pod.
type Unscheduled struct {
	// Message is what the scheduler says, and Since when it began.
	Message string
	Since   time.Time
}

// PodTemplate is what the pods of one workload have in common. They share it: it is
// never nil and never changed.
type PodTemplate struct {
	Labels map[string]string
	// Annotations are those that a mesh wants to be kept.
	Annotations map[string]string
	// Owner is the controller that made the pods; empty where there is none.
	Owner Owner
	// Containers and InitContainers are the mesh's, each with its name, its image and
	// the variables that rules read.
	Containers, InitContainers []corev1.Container
	ServiceAccount             string // of ztunnels only
	HostNetwork                bool
	// Volumes are those that a mesh wants to be kept.
	Volumes []Volume
}

// Volume is where a volume of a pod comes from: a CSI driver, or the node. Others are not kept.
type Volume struct {
	Name string
	// Driver is the CSI driver's name; "" for a directory of the node.
	Driver string
}

// Owner is the controller of an object.
type Owner struct{ Kind, Name string }

// ContainerStatus is what became of a container.
type ContainerStatus struct {
	Name, Image string
	// Init: it is one of those that start first, as native sidecars do.
	Init     bool
	Ready    bool
	Restarts int32
	Started  time.Time // zero where it does not run
	// Waiting is why it is yet to run, in the kubelet's word; "" where it runs, or has ended.
	Waiting string
	// Ended is how it ended, and Last how the one before it did; nil for most.
	Ended, Last *Ended
}

// Ended is the end of a container.
type Ended struct {
	// Reason is the kubelet's word: OOMKilled, Error, Completed.
	Reason      string
	Code        int32
	Started, At time.Time
}

// Status is that of a container of a name, among the others or those that start first; nil
// where there is none.
func (p *Pod) Status(name string) *ContainerStatus {
	for i := range p.Statuses {
		if p.Statuses[i].Name == name {
			return &p.Statuses[i]
		}
	}
	return nil
}

// IP is the pod's address; "" where it has none yet.
func (p *Pod) IP() string {
	if len(p.IPs) == 0 {
		return ""
	}
	return p.IPs[0]
}

// IsReady reports whether the kubelet says that the pod is ready.
func (p *Pod) IsReady() bool { return p.Ready == corev1.ConditionTrue }

// Container is the container of a name, among the others or, where it is a sidecar of
// Kubernetes' own kind, among those that start first; nil where there is none.
func (p *Pod) Container(name string) *corev1.Container {
	for _, containers := range [][]corev1.Container{p.Containers, p.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return &containers[i]
			}
		}
	}
	return nil
}

// PodOf is what there is of a pod as the API server gives it.
func PodOf(o *corev1.Pod) Pod {
	p := Pod{
		Name: o.Name, Namespace: o.Namespace,
		PodTemplate: &PodTemplate{
			Labels: o.Labels, Annotations: o.Annotations, Containers: o.Spec.Containers, InitContainers: o.Spec.InitContainers,
			ServiceAccount: o.Spec.ServiceAccountName, HostNetwork: o.Spec.HostNetwork,
		},
		Node: o.Spec.NodeName, Phase: o.Status.Phase, Created: o.CreationTimestamp.Time,
	}
	for i := range o.Spec.Volumes {
		if v := &o.Spec.Volumes[i]; v.CSI != nil {
			p.Volumes = append(p.Volumes, Volume{Name: v.Name, Driver: v.CSI.Driver})
		} else if v.HostPath != nil {
			p.Volumes = append(p.Volumes, Volume{Name: v.Name})
		}
	}
	if owner := metav1.GetControllerOf(o); owner != nil {
		p.Owner = Owner{Kind: owner.Kind, Name: owner.Name}
	}
	for _, ip := range o.Status.PodIPs {
		p.IPs = append(p.IPs, ip.IP)
	}
	if o.Status.PodIP != "" && !slices.Contains(p.IPs, o.Status.PodIP) {
		p.IPs = slices.Insert(p.IPs, 0, o.Status.PodIP)
	}
	for _, c := range o.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady:
			p.Ready = c.Status
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable:
			p.Unscheduled = &Unscheduled{Message: c.Message, Since: c.LastTransitionTime.Time}
		}
	}
	if o.Status.StartTime != nil {
		p.Started = o.Status.StartTime.Time
	}
	if o.DeletionTimestamp != nil {
		p.Deleted = o.DeletionTimestamp.Time
	}
	for i := range o.Status.ContainerStatuses {
		p.Statuses = append(p.Statuses, statusOf(&o.Status.ContainerStatuses[i], false))
	}
	for i := range o.Status.InitContainerStatuses {
		p.Statuses = append(p.Statuses, statusOf(&o.Status.InitContainerStatuses[i], true))
	}
	return p
}

func statusOf(s *corev1.ContainerStatus, init bool) ContainerStatus {
	out := ContainerStatus{Name: s.Name, Image: s.Image, Init: init, Ready: s.Ready, Restarts: s.RestartCount}
	if s.State.Running != nil {
		out.Started = s.State.Running.StartedAt.Time
	}
	if s.State.Waiting != nil {
		out.Waiting = s.State.Waiting.Reason
	}
	out.Ended, out.Last = endOf(s.State.Terminated), endOf(s.LastTerminationState.Terminated)
	return out
}

func endOf(t *corev1.ContainerStateTerminated) *Ended {
	if t == nil {
		return nil
	}
	return &Ended{Reason: t.Reason, Code: t.ExitCode, Started: t.StartedAt.Time, At: t.FinishedAt.Time}
}

// object is the end of a container as an API server would give it.
func (e *Ended) object() *corev1.ContainerStateTerminated {
	if e == nil {
		return nil
	}
	return &corev1.ContainerStateTerminated{
		Reason: e.Reason, ExitCode: e.Code, StartedAt: metav1.NewTime(e.Started), FinishedAt: metav1.NewTime(e.At),
	}
}

// Object is the pod as an API server would give it.
func (p *Pod) Object() *corev1.Pod {
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations,
			CreationTimestamp: metav1.NewTime(p.Created), DeletionTimestamp: timeOf(p.Deleted),
		},
		Spec: corev1.PodSpec{
			Containers: p.Containers, InitContainers: p.InitContainers, NodeName: p.Node,
			ServiceAccountName: p.ServiceAccount, HostNetwork: p.HostNetwork,
		},
		Status: corev1.PodStatus{Phase: p.Phase, PodIP: p.IP(), StartTime: timeOf(p.Started)},
	}
	if p.Owner != (Owner{}) {
		controller := true
		o.OwnerReferences = []metav1.OwnerReference{{Kind: p.Owner.Kind, Name: p.Owner.Name, Controller: &controller}}
	}
	for _, v := range p.Volumes {
		source := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}
		if v.Driver != "" {
			source = corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: v.Driver}}
		}
		o.Spec.Volumes = append(o.Spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: source})
	}
	for _, ip := range p.IPs {
		o.Status.PodIPs = append(o.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	if p.Ready != "" {
		o.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: p.Ready}}
	}
	if u := p.Unscheduled; u != nil {
		o.Status.Conditions = append(o.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: u.Message,
			LastTransitionTime: metav1.NewTime(u.Since),
		})
	}
	for _, s := range p.Statuses {
		status := corev1.ContainerStatus{Name: s.Name, Image: s.Image, Ready: s.Ready, RestartCount: s.Restarts}
		switch {
		case !s.Started.IsZero():
			status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(s.Started)}
		case s.Waiting != "":
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: s.Waiting}
		}
		status.State.Terminated, status.LastTerminationState.Terminated = s.Ended.object(), s.Last.object()
		if s.Init {
			o.Status.InitContainerStatuses = append(o.Status.InitContainerStatuses, status)
		} else {
			o.Status.ContainerStatuses = append(o.Status.ContainerStatuses, status)
		}
	}
	return o
}

// timeOf is a time as an object has it: none where it is zero.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

// Selects reports whether a selector that is not empty takes labels.
func Selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return len(selector) > 0
}
