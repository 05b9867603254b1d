"""nginx before another server: one that has too much to do, one that is down, and one that has moved.

with registry(tmp_path / "registry") as server, busy_front(tmp_path / "nginx", server.authority) as front:
    httpx.get(f"http://{front.authority}/v2/")           # the first two in a second; then 429, Retry-After: 1
    httpx.get(f"http://{front.authority}/down/v2/")      # 503
    httpx.get(f"http://{front.authority}/moved/v2/")     # 302 to the registry itself
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import need

from servers.process import free_port, running

_CONFIG = """\
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
  log_format asked '$request_method $request_uri $status';
  access_log access.log asked;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  limit_req_zone $binary_remote_addr zone=busy:1m rate={rate}r/s;
  server {{
    listen {authority};
    location / {{
      limit_req zone=busy burst=1 nodelay;
      limit_req_status 429;
      add_header Retry-After $retry_after always;
      proxy_set_header Host $http_host;
      proxy_pass http://{upstream};
    }}
    location /down/ {{ return 503; }}
    location /moved/ {{ rewrite ^/moved(/.*)$ http://{upstream}$1 redirect; }}
    location /kept/ {{ rewrite ^/kept(/.*)$ $1 break; proxy_set_header Host $http_host; proxy_pass http://{upstream}; }}
  }}
  map $status $retry_after {{ 429 1; default ""; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Front:
    """A running nginx."""

    authority: str
    folder: Path

    @property
    def asked(self) -> list[str]:
        """All requests so far, as `METHOD PATH STATUS`."""
        return (self.folder / "access.log").read_text(encoding="utf-8").splitlines()


@contextmanager
def busy_front(folder: Path, upstream: str, *, rate: int = 1) -> Iterator[Front]:
    """Run nginx before `ADDRESS:PORT`, letting through two requests at once and then so many a second.

    `/kept/` leads to the same server without a limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    front = Front(f"127.0.0.1:{port}", folder)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(authority=front.authority, upstream=upstream, rate=rate), encoding="ascii")
    command = [need("nginx"), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with running(command, folder=folder, port=port):
        yield front
