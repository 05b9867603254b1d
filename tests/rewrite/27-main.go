package main

import (
	"github.com/gocrane/api/analysis/v1alpha1"
	_ "github.com/gocrane/crane/pkg/version"
)

// Source: https://github.com/gocrane/crane/blob/main/cmd/craned/main.go
const image = "docker.io/gocrane/craned:main"
const repo = `https://github.com/gocrane/crane.git`
