//! The files of a state folder that are text.

use std::path::Path;

use super::Wish;

const WRITTEN: &str = "# Written by ./x run at every start; a change of yours would be lost.\n";

/// The daemon's configuration.
pub fn daemon(wish: &Wish) -> String {
    let state = wish.state.display();
    let address = wish.address;
    format!(
        r#"{WRITTEN}
storage "redb" {{
  path = "{state}/data/store.redb"
}}

listener "tcp" {{
  address       = "{address}"
  tls_cert_file = "{state}/server.pem"
  tls_key_file  = "{state}/server.key"
}}

# HSM and TPM together: neither opens anything alone. That they run as our own user is for development only.
seal "pkcs11" {{
  name           = "hsm"
  socket         = "{state}/run/hsm.sock"
  allow_same_uid = true
}}

seal "tpm" {{
  name           = "tpm"
  socket         = "{state}/run/tpm.sock"
  allow_same_uid = true
}}

audit "file" "file" {{
  path = "{state}/audit.log"
}}

api_addr = "https://{address}"
"#
    )
}

/// The supervisor's programs.
pub fn supervisor(wish: &Wish) -> String {
    let state = wish.state.display();
    let programs = wish.programs.display();
    let (module, swtpm) = (wish.module.display(), wish.swtpm.display());
    let (port, control) = (wish.tpm_port, wish.tpm_port.saturating_add(1));
    let enrol = if wish.enrol { ", \"--enrol\"" } else { "" };
    format!(
        r#"{WRITTEN}
pid_file = "{state}/run/supervise.pid"

program "swtpm" {{
  command = ["{swtpm}", "socket", "--tpm2", "--tpmstate", "dir={state}/swtpm,mode=0600",
             "--server", "type=tcp,bindaddr=127.0.0.1,port={port}",
             "--ctrl", "type=tcp,bindaddr=127.0.0.1,port={control}",
             "--flags", "not-need-init,startup-clear"]
  log     = "{state}/log"
  ready   = "127.0.0.1:{port}"
}}

program "tpm-bridge" {{
  command = ["{programs}/tpm-bridge", "--tcti", "swtpm:host=127.0.0.1,port={port}", "--state", "{state}/tpm",
             "--socket", "{state}/run/tpm.sock", "--allow-same-uid"{enrol}]
  log     = "{state}/log"
  ready   = "{state}/run/tpm.sock"
}}

program "hsm-bridge" {{
  command     = ["{programs}/hsm-bridge", "--module", "{module}", "--token", "strongroom",
                 "--pin-file", "{state}/hsm-pin", "--latch", "{state}/hsm-pin.latch",
                 "--socket", "{state}/run/hsm.sock", "--allow-same-uid"]
  environment = {{ SOFTHSM2_CONF = "{state}/softhsm2.conf" }}
  log         = "{state}/log"
  ready       = "{state}/run/hsm.sock"
}}

program "strongroom" {{
  command = ["{programs}/strongroom", "server", "-config={state}/strongroom.hcl"]
  log     = "{state}/log"
  reload  = true
}}
"#
    )
}

/// SoftHSM's configuration.
pub fn softhsm(wish: &Wish) -> String {
    format!(
        "{WRITTEN}directories.tokendir = {}/softhsm\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        wish.state.display()
    )
}

/// What the person who has started it is told when it is unsealed.
pub fn ready(state: &Path, address: &str, root_token: Option<&str>, is_detached: bool) -> String {
    let state = state.display();
    let token = root_token.map_or("(not kept)", str::trim);
    let last = match is_detached {
        true => "Ready. ./x stop stops it; what is stored stays.",
        false => "Ready. Ctrl-C stops it; the next ./x run finds all that is stored.",
    };
    format!(
        "
Strongroom runs at {address}, unsealed by HSM and TPM together.

CA file:    {state}/ca.pem
Root Token: {token}

To store and read a first secret, paste this into another terminal:

    . '{state}/env'
    strongroom kv put -mount=secret first password=correct-horse
    strongroom kv get -mount=secret first

The audit log is {state}/audit.log, the server's own is {state}/log. For development only: the root token
is kept in {state}/root-token, which your own user alone can read.
{last}"
    )
}

/// What a user's shell reads to be a client.
pub fn environment(wish: &Wish) -> String {
    let state = wish.state.display();
    format!(
        "{WRITTEN}export VAULT_ADDR='https://{}'\nexport VAULT_CACERT='{state}/ca.pem'\n\
         VAULT_TOKEN=$(cat '{state}/root-token') && export VAULT_TOKEN\n\
         export PATH='{}':\"$PATH\"\n",
        wish.address,
        wish.programs.display()
    )
}
