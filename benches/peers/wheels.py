"""Programs from Python wheels: newer builds of nginx and HAProxy, and Envoy, Traefik and Caddy set up in other ways."""

import subprocess
import sys

from proxies import HERE, BenchError, Program

ROOT = HERE.parent.parent
# Smaller files of the same name are scripts that start the program.
LEAST_BYTES = 1 << 20


def install():
    """The same wheels as `make faults-peers` has."""
    subprocess.run([ROOT / "scripts" / "setup", "peers"], check=True, timeout=600, stdout=sys.stderr)


def binary(name):
    for file in sorted((ROOT / ".venv" / "faults").rglob(name)):
        if file.is_file() and file.stat().st_size > LEAST_BYTES:
            file.chmod(0o755)
            return str(file)
    raise BenchError(f"the wheels brought no {name}")


def envoy():
    arguments = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c", "{config}")
    return Program("Envoy", binary("envoy"), "envoy.yaml", arguments, ("--version",))


# One thread for Go's programs, as for the others.
GO = (("GOMAXPROCS", "1"),)


def traefik():
    return Program(
        "Traefik",
        binary("traefik"),
        "traefik.yaml",
        ("--configFile={config}",),
        ("version",),
        parts=("traefik-site.yaml",),
        environment=GO,
        listens_early=True,
    )


def caddy():
    # It keeps what it writes down at home.
    home = (("HOME", "{work}"), ("XDG_DATA_HOME", "{work}"), ("XDG_CONFIG_HOME", "{work}"))
    arguments = ("run", "--adapter", "caddyfile", "--config", "{config}")
    return Program("Caddy", binary("caddy"), "Caddyfile", arguments, ("version",), environment=GO + home)


# By the names that `run --proxies` takes.
PEERS = {"envoy": envoy, "traefik": traefik, "caddy": caddy}

# Whose instructions cannot be counted.
UNCOUNTED = {name: "is not counted: valgrind 3.19 crashes on programs of Go" for name in ("Traefik", "Caddy")}

# For each variant what of a configuration is swapped, and for what; PLACE stands for where the program runs.
LOGGED = {
    "Envoy": (
        "                stat_prefix: front\n",
        """                stat_prefix: front
                access_log:
                  - name: file
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: PLACE/access.log
                      log_format:
                        json_format:
                          time: "%START_TIME%"
                          client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
                          method: "%REQ(:METHOD)%"
                          host: "%REQ(:AUTHORITY)%"
                          path: "%REQ(:PATH)%"
                          protocol: "%PROTOCOL%"
                          status: "%RESPONSE_CODE%"
                          bytes: "%BYTES_SENT%"
                          referer: "%REQ(REFERER)%"
                          user_agent: "%REQ(USER-AGENT)%"
                          id: "%REQ(X-REQUEST-ID)%"
                          node: "%UPSTREAM_HOST%"
                          took: "%DURATION%"
                          first_byte: "%RESPONSE_DURATION%"
""",
    ),
    # Its own fields, which are more; so many lines may wait to be written.
    "Traefik": (
        "providers:\n",
        "accessLog: { filePath: PLACE/access.log, format: json, bufferingSize: 1000 }\nproviders:\n",
    ),
    # Its own fields, which are more.
    "Caddy": (
        "\tbind 127.0.0.1\n",
        "\tbind 127.0.0.1\n\tlog {\n\t\toutput file PLACE/access.log\n\t\tformat json\n\t}\n",
    ),
}
SECURED = {
    "Envoy": (
        "        - filters:\n",
        """        - transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_params: { tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3 }
                tls_certificates:
                  - certificate_chain: { filename: PLACE/site.pem }
                    private_key: { filename: PLACE/site.key }
          filters:
""",
    ),
    "Traefik": (
        "    address: 127.0.0.1:8080\n",
        "    address: 127.0.0.1:8080\n    http: { tls: {} }\n",
    ),
    "Caddy": (
        "http://127.0.0.1:8080 {\n",
        "https://127.0.0.1:8080 {\n\ttls PLACE/site.pem PLACE/site.key\n",
    ),
}
CHECKED = (
    "      connect_timeout: 1s\n",
    """      connect_timeout: 1s
      health_checks:
        - timeout: 1s
          interval: 2s
          no_traffic_interval: 2s
          unhealthy_threshold: 2
          healthy_threshold: 1
          tcp_health_check: {}
""",
)
BALANCED = {"Envoy": "lb_policy: ROUND_ROBIN", "Traefik": "strategy: wrr", "Caddy": "lb_policy round_robin"}
