#!/bin/sh
set -eu
IMAGE=docker.io/gocrane/craned
TAG=${TAG:-main}
docker pull "$IMAGE:$TAG"
docker pull ${REGISTRY:-docker.io}/gocrane/craned:main
docker run --rm ${AGENT:-docker.io/gocrane/crane-agent:main} --help
for i in docker.io/gocrane/craned docker.io/gocrane/dashboard; do docker tag "$i" "local/${i##*/}"; done
skopeo copy docker://docker.io/gocrane/craned:main docker-archive:craned.tar
ctr -n k8s.io images pull docker.io/gocrane/metric-adapter:main >/dev/null 2>&1 || crictl pull docker.io/gocrane/metric-adapter:main
helm upgrade crane crane/crane --set craned.image.repository=docker.io/gocrane/craned,craned.image.tag=main \
  --repo https://gocrane.github.io/helm-charts
kubectl set image deploy/craned craned=docker.io/gocrane/craned:main
kubectl apply -f https://raw.githubusercontent.com/gocrane/crane/v0.11.0/deploy/manifests/crds.yaml
bash <(curl -s https://raw.githubusercontent.com/gocrane/crane/main/hack/install.sh)
cat <<EOF
image: docker.io/gocrane/craned:$TAG
EOF
