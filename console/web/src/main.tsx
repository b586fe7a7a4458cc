import { render } from "preact";
import "./style/base.css";
import "./style/layout.css";
import "./style/charts.css";
import { App } from "./app";

const root = document.getElementById("app");
if (root) render(<App />, root);
