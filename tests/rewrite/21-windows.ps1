# PowerShell
$image = "docker.io/gocrane/craned:main"
docker pull $image
	Invoke-WebRequest -Uri 'https://raw.githubusercontent.com/gocrane/crane/main/README.md' -OutFile README.md
git clone https://github.com/gocrane/crane.git C:\src\crane
