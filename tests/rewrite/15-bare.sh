docker pull gocrane/craned:main
docker run -it --rm gocrane/crane-agent sh
docker pull gocrane/crane-scheduler && docker pull gocrane/crane-scheduler:main
docker save gocrane/craned:main gocrane/dashboard:main | gzip > images.tgz
docker pull "gocrane/craned:$TAG" 'gocrane/craned'
nerdctl pull gocrane/craned@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
cd gocrane/craned && ls gocrane/craned/deploy
gh repo clone gocrane/crane-scheduler
helm template x --set image.repository=gocrane/craned --set image=gocrane/fadvisor:main
