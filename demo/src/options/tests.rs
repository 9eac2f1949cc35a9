//! Tests of parsing the command line.

use super::*;

fn parse(line: &str) -> Result<Command, String> {
    Command::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
}

fn options(line: &str) -> Options {
    match parse(line) {
        Ok(Command::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn no_arguments_means_loopback_8080_with_server_defaults() {
    let (mut config, options) = (Config::default(), options(""));
    options.apply(&mut config);
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(options.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!((options.workers, options.access_log), (Workers(0), false));
    assert_eq!(options.drain_delay(), Duration::ZERO);
    assert!(!options.compress && !options.decompress_requests);
}

#[test]
fn every_flag_sets_its_option() {
    let options = options(
        "--listen 80 --listen=unix:/s --listen-fds --workers 3 --access-log --max-request 5 --head-timeout 1 \
         --idle-timeout 2.5 --body-timeout 3 --write-timeout 0 --half-closed-timeout 8 --proxy-protocol --cookie-secret a \
         --cookie-secret b --xheaders 10.0.0.0/8 --xheaders ::1 --handshake-timeout 4 --accept-timeout 5 \
         --sendfile X-Sendfile --sendfile-unescaped --linger-timeout 6 --body-rate 7 --drain-delay 1.5 --compress \
         --decompress-requests",
    );
    assert!(options.compress && options.decompress_requests);
    let mut config = Config::default();
    options.apply(&mut config);
    assert_eq!(options.listen, ["80", "unix:/s"].map(|address| address.parse().unwrap()));
    assert_eq!((options.workers, options.access_log, options.listen_fds), (Workers(3), true, true));
    assert_eq!(options.cookie_secrets, [Secret("a".into()), Secret("b".into())]);
    assert_eq!(options.xheaders(), XHeaders::trusted(["10.0.0.0/8", "::1"]).unwrap().proto());
    assert!(config.proxy_protocol);
    let (limits, timeouts) = (config.limits, config.timeouts);
    assert_eq!(limits.max_body_size, 5);
    assert_eq!(timeouts.head, Some(Duration::from_secs(1)));
    assert_eq!(timeouts.idle, Some(Duration::from_millis(2500)));
    assert_eq!(timeouts.body, Some(Duration::from_secs(3)));
    assert_eq!(timeouts.write, None);
    assert_eq!(timeouts.half_closed, Some(Duration::from_secs(8)));
    assert_eq!(options.drain_delay(), Duration::from_millis(1500));
    let policy = XSendfile::new("X-Sendfile", "/").unwrap().unescaped();
    assert_eq!(options.sendfile(Path::new("/")).unwrap(), Some(policy));
    assert_eq!(timeouts.handshake, Some(Duration::from_secs(4)));
    assert_eq!(timeouts.accept, Some(Duration::from_secs(5)));
    assert_eq!((timeouts.refusal_linger, timeouts.body_rate), (Some(Duration::from_secs(6)), 7));
}

#[test]
fn head_timeout_applies_from_accept_without_accept_timeout() {
    let (default, seconds) = (Config::default().timeouts.accept, |n| Some(Duration::from_secs(n)));
    for (line, accept) in [
        ("", default),
        ("--head-timeout 3", seconds(3)),
        ("--head-timeout 60", seconds(60)),
        ("--head-timeout 0", None),
        ("--head-timeout 3 --accept-timeout 4", seconds(4)),
        ("--accept-timeout 0 --head-timeout 3", None),
        ("--accept-timeout 4", seconds(4)),
    ] {
        let mut config = Config::default();
        options(line).apply(&mut config);
        assert_eq!(config.timeouts.accept, accept, "{line}");
    }
}

#[test]
fn linger_timeout_bounds_refusals_and_shortens_ordinary_ends() {
    let seconds = |n| Some(Duration::from_secs(n));
    for (line, refusal, ordinary) in [
        ("", seconds(30), seconds(2)),
        ("--linger-timeout 1", seconds(1), seconds(1)),
        ("--linger-timeout 60", seconds(60), seconds(2)),
        ("--linger-timeout 0", None, None),
    ] {
        let mut config = Config::default();
        options(line).apply(&mut config);
        assert_eq!((config.timeouts.refusal_linger, config.timeouts.linger), (refusal, ordinary), "{line}");
    }
}

#[test]
fn runtimes_are_selected_by_crate_name() {
    for (line, runtime) in [
        ("", RuntimeName::Tokio),
        ("--runtime tokio", RuntimeName::Tokio),
        ("--runtime smol", RuntimeName::Smol),
        ("--runtime async-std", RuntimeName::AsyncStd),
    ] {
        assert_eq!(options(line).runtime, runtime, "{line}");
    }
}

#[test]
fn xheaders_all_overrides_networks() {
    for line in ["--xheaders all", "--xheaders all --xheaders ::1", "--xheaders ::1 --xheaders all"] {
        assert_eq!(options(line).xheaders(), XHeaders::TrustAll, "{line}");
    }
}

#[test]
fn xheaders_from_selects_the_trusted_fields() {
    let trusted = || XHeaders::trusted(["::1"]).unwrap();
    for (line, xheaders) in [
        ("--xheaders ::1", trusted().proto()),
        ("--xheaders ::1 --xheaders-from x-forwarded", trusted().proto()),
        ("--xheaders-from x-real-ip --xheaders ::1", trusted().x_real_ip()),
        ("--xheaders ::1 --xheaders-from forwarded", trusted().forwarded()),
        (
            "--xheaders all --xheaders-from forwarded",
            XHeaders::trusted(["0.0.0.0/0", "::/0"]).unwrap().unix_peers().forwarded(),
        ),
    ] {
        assert_eq!(options(line).xheaders(), xheaders, "{line}");
    }
}

#[test]
fn sendfile_policy_is_built_from_flag_and_root() {
    let root = Path::new("/srv");
    assert_eq!(options("").sendfile(root).unwrap(), None);
    let nginx = options("--sendfile X-Accel-Redirect --sendfile-prefix /p").sendfile(root).unwrap();
    assert_eq!(nginx, Some(XSendfile::new("X-Accel-Redirect", root).unwrap().prefix("/p").unwrap()));
}

#[test]
fn secrets_are_hidden_in_debug() {
    let options = options("--cookie-secret hunter2");
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[test]
fn cookie_keys_come_from_flags_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets");
    let given = || options(&format!("--cookie-secret-file {}", path.display())).cookie_keys();
    let error = given().unwrap_err().to_string();
    assert!(error.starts_with(&format!("--cookie-secret-file: {}: ", path.display())), "{error}");
    std::fs::write(&path, "short\n").unwrap();
    assert!(given().unwrap_err().to_string().contains("line 1 is too short"));
    let secret = "s".repeat(32);
    std::fs::write(&path, format!("{secret}\n")).unwrap();
    let sign = |keys: KeyRing| keys.sign("a", "b", Default::default(), Duration::from_secs(1));
    let by_flag = options(&format!("--cookie-secret {secret}")).cookie_keys().unwrap().unwrap();
    assert_eq!(sign(given().unwrap().unwrap()), sign(by_flag));
    assert!(options("").cookie_keys().unwrap().is_none());
}

#[test]
fn help_and_version_take_precedence() {
    assert_eq!(parse("--help --nonsense"), Ok(Command::Help));
    assert_eq!(parse("-V"), Ok(Command::Version));
}

#[test]
fn errors_are_one_line_naming_flag_and_value() {
    for (line, said) in [
        ("--nonsense", "invalid option '--nonsense'"),
        ("-x", "invalid option '-x'"),
        ("stray", "unexpected argument \"stray\""),
        ("--listen", "missing argument for option '--listen'"),
        ("--access-log=yes", "unexpected argument for option '--access-log': \"yes\""),
        ("--cookie-secret=", "invalid value \"\" for --cookie-secret: expected a non-empty secret"),
        (
            "--xheaders 10.0.0.0/33",
            "invalid value \"10.0.0.0/33\" for --xheaders: expected all, a network such as 10.0.0.0/8, or an address",
        ),
        (
            "--xheaders-from x-forwarded-for",
            "invalid value \"x-forwarded-for\" for --xheaders-from: expected x-forwarded, x-real-ip or forwarded",
        ),
        ("--xheaders-from forwarded", "--xheaders-from requires --xheaders"),
        ("--cookie-secret-file=", "invalid value \"\" for --cookie-secret-file: expected a path"),
        ("--cookie-secret a --cookie-secret-file f", "--cookie-secret-file cannot be combined with --cookie-secret"),
        ("--sendfile-prefix /p", "--sendfile-prefix requires --sendfile"),
        ("--sendfile-unescaped", "--sendfile-unescaped requires --sendfile"),
        ("--runtime glommio", "invalid value \"glommio\" for --runtime: expected tokio, smol or async-std"),
        (
            "--workers many",
            "invalid value \"many\" for --workers: expected a number of threads up to 1024, or 0 for one per core",
        ),
        ("--max-connections 0", "invalid value \"0\" for --max-connections: expected a number from 1 to 4294967295"),
        (
            "--max-connections-per-address x",
            "invalid value \"x\" for --max-connections-per-address: expected a number from 1 to 4294967295",
        ),
        (
            "--max-requests-per-connection -1",
            "invalid value \"-1\" for --max-requests-per-connection: expected a number from 1 to 4294967295",
        ),
        ("--when-full 503", "invalid value \"503\" for --when-full: expected wait or refuse"),
        ("--max-connection-age old", "invalid value \"old\" for --max-connection-age: expected a number of seconds"),
        ("--tcp-keepalive 0.5", "invalid value for --tcp-keepalive: expected at least 1 second, or 0 for none"),
        ("--backlog 1.5", "invalid value \"1.5\" for --backlog: expected a number from 1 to 4294967295"),
        ("--socket-mode 1777", "invalid value \"1777\" for --socket-mode: expected octal permissions such as 660"),
        ("--socket-mode +66", "invalid value \"+66\" for --socket-mode: expected octal permissions such as 660"),
        (
            "--socket-group www",
            "invalid value \"www\" for --socket-group: expected the number of a group; `getent group NAME` shows it",
        ),
        ("--max-request -1", "invalid value \"-1\" for --max-request: expected a number of bytes without a unit"),
        ("--sendfile a:b", "invalid value \"a:b\" for --sendfile: expected a field name such as X-Accel-Redirect"),
        (
            "--sendfile Content-Length",
            "invalid value \"Content-Length\" for --sendfile: expected a field that does not frame messages",
        ),
        (
            "--sendfile x --sendfile-prefix \u{e9}",
            "invalid value \"\u{e9}\" for --sendfile-prefix: expected a path of visible ASCII characters",
        ),
        ("--tls-cert=", "invalid value \"\" for --tls-cert: expected a path"),
        ("--client-ca ca.pem", "--client-ca requires --tls-cert"),
        ("--idle-timeout soon", "invalid value \"soon\" for --idle-timeout: expected a number of seconds"),
        ("--idle-timeout -1", "invalid value \"-1\" for --idle-timeout: expected a number of seconds"),
        ("--handshake-timeout NaN", "invalid value \"NaN\" for --handshake-timeout: expected a number of seconds"),
        ("--accept-timeout 1s", "invalid value \"1s\" for --accept-timeout: expected a number of seconds"),
        ("--linger-timeout 1e99", "invalid value \"1e99\" for --linger-timeout: expected a number of seconds"),
        ("--linger-timeout", "missing argument for option '--linger-timeout'"),
        (
            "--body-rate 1.5",
            "invalid value \"1.5\" for --body-rate: expected a number of bytes per second, at most 4294967295",
        ),
        (
            "--body-rate 4294967296",
            "invalid value \"4294967296\" for --body-rate: expected a number of bytes per second, at most 4294967295",
        ),
    ] {
        assert_eq!(parse(line), Err(said.into()), "{line}");
    }
}

#[test]
fn listen_accepts_port_host_and_port_or_unix_path() {
    for given in ["0", "65535", "127.0.0.1:0", "[::]:80", "::1:80", "localhost:0", "a.example:65535", "unix:a"] {
        assert_eq!(options(&format!("--listen={given}")).listen, [Address(given.into())], "{given}");
    }
    for given in [
        "",
        "65536",
        "-1",
        "localhost",
        ":80",
        "localhost:65536",
        "a b:80",
        "a\u{7f}:80",
        "http://a:80",
        "[::1]",
        "unix:",
    ] {
        let said = format!(
            "invalid value {given:?} for --listen: expected PORT, HOST:PORT or unix:PATH, with a port up to 65535"
        );
        let parsed = Command::parse([format!("--listen={given}").into()]);
        assert_eq!(parsed.map_err(|error| error.to_string()), Err(said));
    }
}
