// Sends the form on that carries a message to the identity provider; without script the button does.
"use strict";
document.getElementById("post-on").submit();
