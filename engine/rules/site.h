/*
 * The site as JSON: what bundle_done's memfd holds.  Everything is checked,
 * defaults are filled in, references resolve.  Arrays are in the order of
 * declaration; the same bundle gives the same bytes.  Durations are integers
 * in ms, memory in MiB, "file" and "line" where the statement stands.
 * engine/loop/site.c reads it, strictly, into struct site_spec.
 *
 * { "version": 1, "bundle": HASH, "name": "demo", "file", "line",
 *   "peers": false, "history_ms", "history_events_ms", "history_hours_ms",
 *   "history_audit_ms", "reserve": false, "metrics_ip", "metrics_port", "stats_ms",
 *   "disk_reserve_mib", "alarm",
 *     metrics_*, alarm: left out when not set
 *   "hosts": [ { "name", "file", "line", "uri", "boot_parallel", "site": "north",
 *     "labels": ["ssd"], "vcpus", "memory_mib", "migrate" } ],
 *     site, vcpus, memory_mib, migrate are left out when not set
 *   "applications": [ { "name", "file", "line",
 *     "endpoint": "channel" | "tcp" | "unix",
 *     "endpoint_host": "", "endpoint_port": 25,      tcp only
 *     "endpoint_path": "/run/x/{machine}.sock",      unix only
 *     "identity": "proxy" | "agent" | "none", "agent": true,
 *     "connections": "one" | "shared",
 *     "resources": ["files"], "hooks": ["prepare", "clean"],
 *     "prepared": fingerprint of the prepare hook, or "",
 *     "prepare_deadline_ms", "ready_deadline_ms", "accept_deadline_ms",
 *     "clean_deadline_ms", "half_close_limit_ms", "limit": 0,
 *     "idle_ms", "longest_ms", "warn_ms", "linger_ms" } ],
 *     idle_ms, longest_ms, warn_ms, linger_ms are left out when there is no such limit
 *   "pools": [ { "name", "file", "line", "application", "serve", "spare",
 *     "max", "host", "hosts": ["hv01"] | "*", "labels": ["ssd"],
 *     "sites": ["north"] | "*", "spread": "none" | "hosts" | "sites",
 *     "kernel", "initrd", "cmdline", "template", "from", "image",
 *     "copy": false, "disk_mib", "user_data", "meta_data", "network_config", "vcpus",
 *     "memory_mib", "volume_mib", "recycle": "clean" | "revert" |
 *     "rebuild" | "none", "saved",
 *     "keep", "untrusted", "boot_deadline_ms", "shrink_after_ms" } ],
 *     host: the first candidate;
 *     kernel, initrd, cmdline, template, from, image, disk_mib, volume_mib and
 *     the texts of cloud-init are left out when not set; vcpus and memory_mib
 *     with from
 *   "listeners": [ { "name", "file", "line",
 *     "door": "direct" | "native" | "connect" | "socks5" | "ssh",
 *     "ip": "127.0.0.1", "port": 7070 | "path": "/run/x.sock",
 *     "user_source": "fixed" | "peer" | "password" | "certificate" | "network" | "key",
 *     "user": "kiosk", "networks": [ { "network": "10.1.0.0/16", "user": "lab" } ],
 *     "tls": { "certificate", "key", "client_ca", "client": "required" },
 *     "proxy": ["127.0.0.0/8"], "host_key": "FILE",
 *     "applications": ["mail"] | "*", "wait_ms", "extend_ms", "limit": 0,
 *     "opening_deadline_ms", "opening_per_source" } ],
 *     user: with fixed only; networks: with network only, sorted; tls and proxy
 *     are left out when not set, client_ca when client is "none"; extend_ms is left out when users may not
 *   "users": [ { "name", "file", "line", "password", "token", "uid" | "login",
 *     "ssh_keys": ["ssh-ed25519 AAAA"],
 *     "applications": ["mail"] | "*", "limit", "disabled",
 *     "applications_open": false } ],                   true = none were written
 *     password, token, uid, login are left out when not set
 *   "groups": [ { "name", "file", "line", "members": ["anna"] | "*",
 *     "applications": ["mail"] | "*", "applications_open", "priority": 0,
 *     "limit": 0 } ],
 *   "allows": [ { "name": "rule-1", "file", "line", "users": ["anna"] | "*",
 *     "groups": ["students"], "applications": ["mail"] | "*",
 *     "listeners": ["front"] | "*" } ],
 *   "resources": [ { "name", "file", "line", "pool" |
 *     "ip": "127.0.0.1", "port": 5432 | "path": "/run/x.sock",
 *     "listen_ip", "listen_port", "ident_ip", "ident_port",
 *     "identity": "proxy" | "none" | "ident",
 *     "access": [ { "user": "anna" | "@students" | "*", "allowed": true } ] } ],
 *     listen_*, ident_*: left out when not set
 *     access is sorted by user
 *   "clusters": [ { "name", "file", "line", "application", "ip", "prefix": 0 | 24,
 *     "interface", "port", "nodes", "min_nodes", "max_nodes", "vcpus",
 *     "min_vcpus", "max_vcpus", "memory_mib", "min_memory_mib",
 *     "max_memory_mib", what a pool says of its machines from "host" to
 *     "network_config" and "volume_mib", "boot_deadline_ms",
 *     "balance": "least-sessions" | "round-robin" | "first-free", "busy",
 *     "replay": false, "wait_ms", "drain_ms",
 *     "health": { "request", "expect", "interval_ms", "timeout_ms", "fall", "rise" },
 *     "strategy": "failover" | "shutdown" | "move" | "live", "cool_up_ms",
 *     "cool_down_ms",
 *     "calendar": [ { "every": TEXT | "on": TEXT, "nodes", "vcpus", "memory_mib" } ] } ],
 *     interface, request, expect, an entry's sizes: left out when not set
 *   "rules": [ { "name", "file", "line", "cluster" | "pool", "every_ms", "deadline_ms",
 *     "version": fingerprint of the function } ] }
 */
#ifndef REMUDA_RULES_SITE_H
#define REMUDA_RULES_SITE_H

enum {
	SITE_JSON_VERSION = 1,
	SITE_JSON_COUNT_MAX = 1000,	/* statements of one kind, names in a list */
};

#endif
