// Takes the code of an invite out of the link's fragment, so that only the button is left to press.
"use strict";
const code = location.hash.slice(1);
if (code) {
  document.getElementById("token").value = code;
  document.getElementById("by-hand").hidden = true;
  document.getElementById("accept").focus();
}
