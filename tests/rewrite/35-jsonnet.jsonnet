local image(name) = 'docker.io/gocrane/' + name;
{ craned: 'docker.io/gocrane/craned:' + std.extVar('tag'), repo:: "https://github.com/gocrane/crane.git" }
