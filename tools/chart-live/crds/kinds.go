package crds

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
	_ "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
)
