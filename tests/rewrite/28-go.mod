module github.com/gocrane/crane

go 1.17

require (
	github.com/gocrane/api v0.7.1-0.20220819080332-e4c0d60e812d
	github.com/gocrane/fadvisor v0.1.0 // indirect
)

replace github.com/gocrane/api => ../api
