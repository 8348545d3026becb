/* Passkeys: signs in with one, adds one, proves presence with one. A form says which by data-passkey="sign-in|add|prove";
   options come from the address in data-options (sign-in) or from the JSON island named by data-island. */
(() => {
  "use strict";
  const able = () => window.PublicKeyCredential && navigator.credentials;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

  function decoded(options) {
    const made = { ...options, challenge: bytes(options.challenge) };
    if (made.user) made.user = { ...made.user, id: bytes(made.user.id) };
    for (const list of ["excludeCredentials", "allowCredentials"]) {
      if (made[list]) made[list] = made[list].map((each) => ({ ...each, id: bytes(each.id) }));
    }
    return made;
  }

  function encoded(credential) {
    const from = credential.response, response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (from[name]) response[name] = text(from[name]);
    }
    if (from.getTransports) response.transports = from.getTransports();
    return { type: credential.type, id: credential.id, rawId: text(credential.rawId), response,
             authenticatorAttachment: credential.authenticatorAttachment,
             clientExtensionResults: credential.getClientExtensionResults() };
  }

  async function options(form) {
    if (form.dataset.island) return JSON.parse(document.getElementById(form.dataset.island).textContent);
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("options");
    return answer.json();
  }

  async function credential(form) {
    const given = await options(form);
    if (form.dataset.passkey !== "add") {
      return navigator.credentials.get({ publicKey: decoded(given.request_options.publicKey) });
    }
    const publicKey = decoded(given.creation_options.publicKey);
    const alone = form.querySelector("[name=passwordless]");
    if (!alone || alone.type === "hidden" || alone.checked) {
      publicKey.authenticatorSelection = { ...publicKey.authenticatorSelection, residentKey: "required", requireResidentKey: true, userVerification: "required" };
    }
    return navigator.credentials.create({ publicKey });
  }

  function say(form, words) {
    const line = form.querySelector("[data-passkey-said]");
    if (line) { line.textContent = words; line.hidden = !words; }
  }

  async function run(form, button) {
    say(form, "");
    button.disabled = true;
    try {
      const target = form.dataset.passkeyForm ? document.getElementById(form.dataset.passkeyForm) : form;
      const made = encoded(await credential(form));
      target.querySelector("[name=credential]").value = JSON.stringify(made);
      target.submit();
    } catch (fault) {
      button.disabled = false;
      say(form, fault.name === "NotAllowedError"
        ? "No passkey was used. Try again, or take another way."
        : "This browser or device could not use a passkey here. Take another way.");
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-passkey-button]");
    if (!button || !able()) return;
    const typed = button.form.elements.namedItem("password");
    if (typed && typed.value) return; // Enter in the password field presses the first button: let the form go
    event.preventDefault();
    run(button.closest("[data-passkey]"), button);
  });
})();
